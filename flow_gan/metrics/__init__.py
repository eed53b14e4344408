"""What can be measured of a finished run: one file for each metric, whose name is that of the file.

`--metrics` lists the files of this folder. Each defines `METRIC`, a `measurement.Metric`.
"""
