#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the load generator pod. It keeps k6 running when the controller or the connection is lost, and responds to short calls.
# The controller runs it by `exec` (plugins/module_utils/generator/pod_rpc.py). It needs a POSIX shell and the usual tools, all of which are in busybox.
# Every response is lines of `key=value`, and the last line is $PERFSCALE_END: a response without it was cut off.
set -u
PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
scripts=${0%/pod/*}
block=65536
chunk=1048576

put() { printf '%s=%s\n' "$1" "$2"; }
finish() { echo "${PERFSCALE_END-}"; exit 0; }
reject() { put rejected "$1"; finish; }
sum_of() { set -- $(sha256sum <"$1"); printf %s "$1"; }
size_of() { set -- $(ls -ln "$1" 2>/dev/null); printf %s "${5:-0}"; }

# Hundredths of a second since the node booted. Unlike the clock, this is never adjusted.
uptime_cs() {
  read -r up _ </proc/uptime
  printf %s "${up%.*}${up#*.}"
}

# Not every `sleep` supports fractions.
nap() { sleep 0.1 2>/dev/null || sleep 1; }

# Field 22 of /proc/PID/stat. With it a recycled pid is never mistaken for our process. Zombies count as ended.
started_at() {
  read -r line 2>/dev/null <"/proc/$1/stat" || return 1
  line=${line##*) }
  set -- $line
  [ "$1" != Z ] && printf %s "${20}"
}

# The process of a file that holds `pid start-time …`, if it runs.
living() {
  [ -s "$1" ] || return 1
  read -r pid ticks _ <"$1"
  [ "$(started_at "$pid")" = "$ticks" ] && printf %s "$pid"
}

# Number of out-of-memory kills in this container (cgroup v2, then v1).
oom_kills() {
  for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
    [ -r "$file" ] || continue
    while read -r name count; do [ "$name" = oom_kill ] && printf %s "$count" && return; done <"$file"
  done
  printf 0
}

# Detached from everything but the container's first process: no terminal, no pipe, a session of its own.
detach() {
  if command -v setsid >/dev/null 2>&1; then setsid "$@" </dev/null >/dev/null 2>&1 &
  else (trap '' HUP; exec "$@") </dev/null >/dev/null 2>&1 &
  fi
}

# idle: the container's first process. It also adopts and reaps the processes that a finished load leaves behind.
idle() {
  trap 'exit 0' TERM INT
  while :; do
    sleep 3600 &
    wait "$!"
  done
}

# probe PROGRAM: its version, the processes that run it already, and checksums of the scripts.
probe() {
  if command -v "$1" >/dev/null 2>&1; then put version "$("$1" version 2>&1 | head -n 1)"; fi
  put running "$(pids_of "$1")"
  for file in "$scripts"/*.js "$scripts"/*/*.js "$scripts"/*/*.sh; do
    [ -f "$file" ] && put "sum ${file#"$scripts"/}" "$(sum_of "$file")"
  done
  finish
}

# sums FILE…: their checksums; an absent file has none.
sums() {
  for file in "$@"; do
    if [ -r "$file" ]; then put "sum $file" "$(sum_of "$file")"; fi
  done
  finish
}

# The processes that run a program, whether this script or a user started them.
pids_of() {
  found=
  for file in /proc/[0-9]*/comm; do
    pid=${file#/proc/}
    pid=${pid%/comm}
    if read -r name 2>/dev/null <"$file" && [ "$name" = "${1##*/}" ] && started_at "$pid" >/dev/null; then found="$found $pid"; fi
  done
  printf %s "${found# }"
}

# start DIRECTORY BYTES SHA256 NAME=VALUE… -- PROGRAM ARGUMENT…: takes the configuration from standard input and starts the program.
start() {
  directory=$1 bytes=$2 sum=$3
  [ -e "$directory/load.pid" ] && { put started again; finish; }
  for word in "$@"; do
    # The program is the word after `--`.
    [ "${last:-}" = -- ] && break
    last=$word
  done
  running=$(pids_of "$word")
  [ -z "$running" ] || reject "busy $running"
  mkdir -p "$directory" 2>/dev/null || reject "unwritable $directory"
  head -c "$bytes" >"$directory/load_config.json" || reject "unwritable $directory"
  [ "$(sum_of "$directory/load_config.json")" = "$sum" ] || reject damaged
  shift 3
  # If it is called twice because the first response was lost, it starts the program once. What image, namespace and administrator put into the environment is left out:
  # k6 takes settings from it (K6_*, GOGC and so on), and nobody would know of them.
  mkdir "$directory/begun" 2>/dev/null && detach env -i PATH="$PATH" sh "$0" run "$directory" "$@"
  deadline=$(($(uptime_cs) + 1000))
  until [ -s "$directory/load.pid" ]; do
    [ "$(uptime_cs)" -lt "$deadline" ] || reject "silent $directory"
    nap
  done
  put started now
  finish
}

# run DIRECTORY NAME=VALUE… -- PROGRAM ARGUMENT…: runs the program to its end and records how it ended.
run() {
  directory=$1
  shift
  cd "$directory" || exit 1
  while [ "$1" != -- ]; do
    export "$1"
    shift
  done
  shift
  printf '%s %s\n' "$$" "$(started_at "$$")" >run.pid
  kills=$(oom_kills) begun=$(date +%s) from=$(uptime_cs)
  child='' signalled=''
  # The first process of a container gets the signal of a deletion, k6 does not.
  trap 'signalled=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM
  "$@" >k6.log 2>&1 </dev/null &
  child=$!
  [ -z "$signalled" ] || kill -TERM "$child"
  printf '%s %s %s %s\n' "$child" "$(started_at "$child")" "$from" "$kills" >load.pid
  wait "$child"
  code=$?
  # A signal ends `wait` before the program has ended; 127 means that its end was seen already.
  while [ -n "$signalled" ]; do
    signalled=
    wait "$child"
    again=$?
    [ "$again" -eq 127 ] || code=$again
  done
  lasted=$(($(uptime_cs) - from))
  # In a subshell the times would be those of the subshell's children.
  times >times.txt
  { read -r _; read -r cpu; } <times.txt
  printf '{"pid": %s, "exit_code": %s, "started": %s, "lasted_cs": %s, "cpu_times": "%s", "oom_kills": %s}\n' \
    "$child" "$code" "$begun" "$lasted" "$cpu" "$(($(oom_kills) - kills))" >exit.tmp
  mv exit.tmp exit.json
}

# hold DIRECTORY SECONDS NAME=VALUE… -- PROGRAM ARGUMENT…: runs the program as `run` does, then stays until its files were removed (`clean`), at most
# SECONDS: they go with the container. Ends with the exit code of the program.
hold() {
  directory=$1 deadline=$2
  shift 2
  run "$directory" "$@"
  trap : TERM
  # From here on nothing runs, as `loads` has to tell.
  rm -f "$directory/run.pid"
  deadline=$(($(uptime_cs) + deadline * 100))
  while [ -d "$directory" ] && [ "$(uptime_cs)" -lt "$deadline" ]; do
    sleep 1 &
    wait "$!"
  done
  exit "$code"
}

# keep DIRECTORY: a container beside that of `hold`, with the same volume. It lives on when memory ends the other one with all its processes, and
# responds until the files were removed. Kubernetes ends it when k6's container has ended, and kills it after half a minute.
keep() {
  ended=
  trap 'ended=1' TERM INT
  while [ -z "$ended" ] || [ -d "$1" ]; do
    sleep 1 &
    wait "$!"
  done
}

# As `k6` (the k6-operator runs that in a runner): k6 with these arguments and the environment of the attempt, and nothing else from the pod's.
as_k6() {
  PATH=${PATH#*:}
  mkdir -p "$PERFSCALE_DIRECTORY" && cp "$PERFSCALE_ATTEMPT/load_config.json" "$PERFSCALE_DIRECTORY" || exit 1
  set -- -- k6 "$@"
  while IFS= read -r line; do set -- "$line" "$@"; done <"$PERFSCALE_ATTEMPT/environment"
  exec env -i PATH="$PATH" sh "${0%/bin/*}/pod/load.sh" hold "$PERFSCALE_DIRECTORY" "$PERFSCALE_HOLD_S" "$@"
}

# loads RESULTS MARK: lists the loads whose names begin with MARK, each with its phase, the checksum of its configuration and its exit code.
loads() {
  for directory in "$1/$2"*; do
    [ -s "$directory/load.pid" ] || continue
    phase=lost code=-
    if living "$directory/load.pid" >/dev/null || living "$directory/run.pid" >/dev/null; then
      phase=running
    elif [ -s "$directory/exit.json" ]; then
      phase=ended
      code=$(sed 's/.*"exit_code": \([0-9]*\).*/\1/' "$directory/exit.json")
    fi
    put "$directory" "$phase $(sum_of "$directory/load_config.json") $code"
  done
  finish
}

# status DIRECTORY [BLOCK]: whether the load runs, and the requests that were added to its raw output from BLOCK on.
status() {
  directory=$1
  # Living processes are checked before the record: between the end of the program and its record there is only the shell that
  # writes it, so no process and no record means that both were lost, and not that they ended between the two checks.
  pid=$(living "$directory/load.pid") || pid=$(living "$directory/run.pid") || pid=
  if [ -s "$directory/exit.json" ]; then
    put phase ended
    put exit "$(cat "$directory/exit.json")"
  elif [ -n "$pid" ]; then
    put phase running
    while read -r name kilobytes _; do [ "$name" = VmHWM: ] && put peak_kb "$kilobytes" && break; done <"/proc/$pid/status" 2>/dev/null
  elif [ -s "$directory/load.pid" ]; then
    put phase lost
  else
    put phase absent
  fi
  if [ -s "$directory/load.pid" ]; then
    read -r _ _ from kills <"$directory/load.pid"
    put elapsed_cs "$(($(uptime_cs) - from))"
    # A restarted container counts from zero again.
    put oom_kills "$(($(oom_kills) - kills))"
  fi
  [ -n "${2:-}" ] && [ -f "$directory/raw.csv" ] && progress "$directory/raw.csv" "$2"
  finish
}

# Whole blocks only, so that the cost of reading does not depend on the size of the file.
progress() {
  last=$(($(size_of "$1") / block))
  put block "$last"
  [ "$last" -gt "$2" ] || return 0
  put counts "$(dd if="$1" bs=$block skip="$2" count=$((last - $2)) 2>/dev/null | grep -e http_req_failed, -e wrong_answers, |
    awk -F, '/wrong_answers,/ { f++; next } { n++; if ($3 > 0) f++ } END { print n + 0, f + 0 }')"
}

# stop DIRECTORY SECONDS: stops the load. k6 writes its summary on SIGTERM, so it gets SECONDS before it is killed.
stop() {
  if pid=$(living "$1/load.pid"); then
    kill -TERM "$pid" 2>/dev/null
    deadline=$(($(uptime_cs) + $2 * 100))
    while living "$1/load.pid" >/dev/null && [ "$(uptime_cs)" -lt "$deadline" ]; do nap; done
    living "$1/load.pid" >/dev/null && kill -KILL "$pid" 2>/dev/null
    # Its record is written immediately afterwards.
    deadline=$(($(uptime_cs) + 200))
    while [ ! -s "$1/exit.json" ] && [ "$(uptime_cs)" -lt "$deadline" ]; do nap; done
    put stopped "$pid"
  fi
  finish
}

# pack DIRECTORY [WORDS]: compresses those lines of the raw output that contain one of the words (one per line), unless this is done or
# under way, and lists the files to fetch. Without words the raw output is not included.
pack() {
  cd "$1" 2>/dev/null || { put phase absent; finish; }
  if [ -n "${2:-}" ] && [ -f raw.csv ] && [ ! -f raw.csv.gz ]; then
    [ -f packer.failed ] && reject "unpacked $1"
    living packer.pid >/dev/null || detach sh "$0" compress "$1" "$2"
    put phase packing
    finish
  fi
  put phase packed
  for file in k6.log exit.json *summary*.json raw.csv.gz; do
    [ -f "$file" ] || continue
    [ "$file" = raw.csv.gz ] && [ -z "${2:-}" ] && continue
    put "file $file" "$(size_of "$file") $(sum_of "$file")"
  done
  finish
}

compress() {
  cd "$1" || exit 1
  printf '%s %s\n' "$$" "$(started_at "$$")" >packer.pid
  if grep -F "$2" raw.csv | gzip -c >raw.tmp; then mv raw.tmp raw.csv.gz; else : >packer.failed; fi
}

# read DIRECTORY FILE CHUNK COUNT: prints COUNT mebibytes of the file, unchanged.
read_file() { exec dd if="$1/$2" bs=$chunk skip="$3" count="$4" 2>/dev/null; }

# clean RESULTS NAME: removes one attempt.
clean() {
  case $2 in '' | */* | .*) reject "odd $2" ;; esac
  rm -rf "${1:?}/$2"
  finish
}

[ "${0##*/}" != k6 ] || as_k6 "$@"
command=$1
shift
case $command in
idle | keep | probe | sums | start | run | hold | loads | status | stop | pack | compress | clean) "$command" "$@" ;;
read) read_file "$@" ;;
*) reject "unknown $command" ;;
esac
