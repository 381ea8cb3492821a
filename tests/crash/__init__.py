"""The crash campaign: nothing acknowledged is lost, nothing is stored twice, whatever is killed."""
