"""Certificate Transparency: certificates for registered names, seen when they are logged and before they are served.

Three sources: certspotter's hook, an issuance-search API, and logs read directly by RFC 6962 or static-ct-api. None
keeps anything of certificates that cover no registered name.
"""
