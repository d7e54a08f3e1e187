#!/usr/bin/env python3
"""Puts tables of raw measurements into README.md, between `<!-- table: NAME -->` and `<!-- end -->`.

    readme_tables.py README.md [--training-rate rows.csv ...] [--numerics-cost rows.csv ...] ...

NAME is that of the option; the rows are what the benchmarks write with --raw, or --csv. Several files count as one.
"""
import argparse
import pathlib
import re
import sys

from benchmarking import read_rows
from numerics_cost import cost_table
from training_rate import rate_table

TABLES = {"training-rate": rate_table, "numerics-cost": cost_table}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readme", type=pathlib.Path)
    for name in TABLES:
        parser.add_argument(f"--{name}", dest=name, metavar="ROWS.csv")
    args = vars(parser.parse_args())

    text = args["readme"].read_text()
    for name, make_table in TABLES.items():
        if args[name]:
            new = make_table(read_rows(args[name]))
            text, count = re.subn(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)",
                                  lambda match: match[1] + new + match[2], text, flags=re.DOTALL)
            if count != 1:
                sys.exit(f"{args['readme']}: expected one '<!-- table: {name} -->' with '<!-- end -->', got {count}")
    args["readme"].write_text(text)


if __name__ == "__main__":
    main()
