"""syncd keeps Salesforce true to what Sarbacane reports."""

__version__ = "0.1.0"
