"""Raw to processed: calibrate, convert, judge, derive."""
