"""What the world outside says about coming changes: ARI, Certificate Transparency, revocation, DNS, trust stores.

Every source is polled politely, off the probe path, and has a fault of its own that never disturbs probing.
"""
