"""The live screen: `session` is its loop, `sheets` what it shows, `frame` where, `steering` what keys do."""
