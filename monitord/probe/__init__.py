"""Looking at an endpoint: resolve, connect, shake hands; what was seen becomes an Observation, never a judgement."""
