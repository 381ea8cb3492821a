"""The fault campaign: whatever goes wrong meanwhile, in the end Salesforce says what it would say without it."""
