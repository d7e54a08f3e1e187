#!/usr/bin/env python3
"""Puts tables of raw measurements into the README.md of this folder, between `<!-- table: NAME -->` and `<!-- end -->`.

    readme_tables.py README.md [--training-rate rows.csv ...] [--numerics-cost rows.csv ...] ...

Each option takes what the benchmark of that name has written with --raw (sync_and_update: --csv); several files
count as one, for instance one a round. NAME is that of the option; --training-rate also fills the table second-rank.
"""
import argparse
import pathlib
import re
import statistics
import sys

import architectures
import numerics_cost
import scaling
import step_products
import step_profile
import time_to_accuracy
import training_rate
from benchmarking import distinct, read_rows, table


def sync_table(rows):
    """Speed-ups, of what is left without the gradients alone, are over the faster of the plain ways."""
    lines = [["parameters", "ranks", "way", "all", "sync + update", "speed-up", "bus bandwidth, GB/s"]]
    for parameters, ranks in distinct(rows, "parameters", "ranks"):
        here = [row for row in rows if (row["parameters"], row["ranks"]) == (parameters, ranks)]
        def medians(column):
            return {way: statistics.median(float(row[column]) for row in here if row["way"] == way)
                    for way, in distinct(here, "way")}
        everything, times = medians("microseconds"), medians("without_gradients")
        plain = min(time for way, time in times.items() if way.startswith("MPI"))
        megabytes = 2 * (int(ranks) - 1) / int(ranks) * 4 * int(parameters) / 1e6
        lines += [[f"{int(parameters):,}", ranks, way, f"{everything[way]:,.1f}", f"{time:,.1f}", f"{plain / time:.2f}",
                   f"{megabytes / time * 1e3:.1f}"] for way, time in times.items()]
    return table(lines)


# The option, the names of its tables, and what makes them.
TABLES = {"training-rate": {"training-rate": training_rate.rate_table, "second-rank": training_rate.scaling_table},
          "architectures": {"architectures": architectures.rate_table},
          "numerics-cost": {"numerics-cost": numerics_cost.cost_table},
          "scaling": {"scaling": scaling.scaling_table},
          "sync-and-update": {"sync-and-update": sync_table},
          "time-to-accuracy": {"time-to-accuracy": time_to_accuracy.time_table},
          "step-products": {"step-products": step_products.products_table},
          "step-profile": {"step-profile": step_profile.profile_table}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readme", type=pathlib.Path)
    for option in TABLES:
        parser.add_argument(f"--{option}", dest=option, metavar="ROWS.csv", nargs="+")
    args = vars(parser.parse_args())

    text = args["readme"].read_text()
    for option, tables in TABLES.items():
        rows = [{**row, "round": f"{path} {row['round']}"} for path in args[option] or [] for row in read_rows(path)]
        for name, make_table in tables.items() if rows else ():
            new = make_table(rows)
            text, times = re.subn(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)",
                                  lambda match: match[1] + new + match[2], text, flags=re.DOTALL)
            if times != 1:
                sys.exit(f"{args['readme']}: expected one '<!-- table: {name} -->' with '<!-- end -->', got {times}")
    args["readme"].write_text(text)


if __name__ == "__main__":
    main()
