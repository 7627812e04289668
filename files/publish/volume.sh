# SPDX-License-Identifier: GPL-3.0-or-later
# Commands of the pod that mounts a volume, passed to `sh -c` as text. They need only the usual tools, all of which are in busybox.
# A response ends with $PERFSCALE_END (module_utils/kubernetes/pod_exec.py): a response without it is incomplete. Every command may be repeated.
set -u
command=$1 root=$2
shift 2
arriving=$root/.arriving
case $command in
  # forget: delete what an interrupted publication left.
  forget)
    mkdir -p "$root" && rm -rf "$arriving" && mkdir "$arriving" || exit 1 ;;
  # unpack BYTES: unpack an archive from standard input, whose end the connection does not transmit.
  unpack)
    head -c "$1" | tar -x -f - -C "$arriving" || exit 1 ;;
  # append PATH OFFSET BYTES: append a piece of a large file.
  append)
    mkdir -p "$arriving/$(dirname "$1")" && : >>"$arriving/$1" || exit 1
    set -- "$1" "$2" "$3" $(ls -ln "$arriving/$1")
    if [ "$8" != "$2" ]; then echo "length $8"; exit 1; fi
    head -c "$3" >>"$arriving/$1" || exit 1 ;;
  # sums: print checksums of the received files.
  sums)
    cd "$arriving" && find . -type f -exec sha256sum {} + || exit 1 ;;
  # settle: move the received files into place, records last; a file is replaced in one step.
  settle)
    # Repeated, since the first response was lost.
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
  # read PATH BLOCK COUNT: print COUNT mebibytes of a file, unchanged.
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
