# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pod of a volume is asked to do: a shell script given to `sh -c`, which needs nothing but the usual tools (busybox has them all).

An answer ends with $PERFSCALE_END (kubernetes/pod_exec.py): one without it was cut off, and every question may be asked again.
"""

from __future__ import annotations

SCRIPT = r"""
set -u
command=$1 root=$2
shift 2
arriving=$root/.arriving
case $command in
  # forget: what an earlier, cut publication left.
  forget)
    mkdir -p "$root" && rm -rf "$arriving" && mkdir "$arriving" || exit 1 ;;
  # unpack BYTES: an archive from standard input, whose end the connection cannot tell.
  unpack)
    head -c "$1" | tar -x -f - -C "$arriving" || exit 1 ;;
  # append PATH OFFSET BYTES: a piece of a large file.
  append)
    mkdir -p "$arriving/$(dirname "$1")" && : >>"$arriving/$1" || exit 1
    set -- "$1" "$2" "$3" $(ls -ln "$arriving/$1")
    if [ "$8" != "$2" ]; then echo "length $8"; exit 1; fi
    head -c "$3" >>"$arriving/$1" || exit 1 ;;
  # sums: checksums of what arrived.
  sums)
    cd "$arriving" && find . -type f -exec sha256sum {} + || exit 1 ;;
  # settle: what arrived takes its place, records last; a file is replaced in one step.
  settle)
    # Asked again, since the first answer was lost.
    [ -d "$arriving" ] || { echo "$PERFSCALE_END"; exit 0; }
    cd "$arriving" || exit 1
    for last in '' cell.json run.json; do
      find . -type f | while read -r file; do
        name=${file##*/}
        case $name in cell.json | run.json) rank=$name ;; *) rank= ;; esac
        [ "$rank" = "$last" ] || continue
        mkdir -p "$root/${file%/*}" && mv -f "$file" "$root/$file" || exit 1
      done || exit 1
    done
    sync
    cd "$root" && rm -rf "$arriving" || exit 1 ;;
  # read PATH BLOCK COUNT: so many mebibytes of a file, as they are.
  read)
    [ -f "$root/$1" ] || exit 3
    exec dd if="$root/$1" bs=1048576 skip="$2" count="$3" 2>/dev/null ;;
  # size PATH
  size)
    [ -f "$root/$1" ] || exit 3
    set -- $(ls -ln "$root/$1")
    echo "size $5" ;;
esac
echo "$PERFSCALE_END"
"""
