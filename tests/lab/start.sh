#!/bin/sh
# start.sh "CGROUP..." NETWORK COMMAND...: runs a virtual Jetson until it is powered off.
# It enters the cgroups first (nspawn puts all its own below them), then the device's network name space (nspawn's
# --network-namespace-path would leave this machine's interfaces in /sys/class/net), and a time name space in which this
# machine started just now. Exit status 133 is nspawn's word for "reboot".
cgroups=$1 network=$2
shift 2
while :; do
    (
        for cgroup in $cgroups; do
            mkdir -p "$cgroup" && sh -c 'echo $PPID' > "$cgroup/cgroup.procs" || exit 1
        done
        up=$(cut -d. -f1 /proc/uptime)
        exec nsenter --net="$network" unshare --time --boottime "-$up" --monotonic "-$up" "$@"
    )
    [ $? = 133 ] || exit
done
