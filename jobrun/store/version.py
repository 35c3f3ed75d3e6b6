"""How a file tells that it is a job file, and of which version; all that opening one needs of the schema."""

APPLICATION_ID = 0x6A6F6272  # "jobr"
VERSION = 4
