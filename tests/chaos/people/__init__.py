"""Those who ask for jobs and give orders while everything dies: programs of their own, killed as all others are."""
