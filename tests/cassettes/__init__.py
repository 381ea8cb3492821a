"""Recorded conversations with Salesforce: replayed without a network, recorded anew by `make cassettes`."""
