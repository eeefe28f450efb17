"""monitord's verdicts held against real clients: OkHttp on a JVM and curl, over generated authorities and chains."""
