"""The collector: sensors read at their own cadence and published raw."""
