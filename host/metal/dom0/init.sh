#!/bin/busybox sh
# Dom0's first process: brings up Xen's tools, does what the job of this run asks, sends everything
# below /results to the host as one tar archive, and switches the machine off. What it prints goes
# to the console, for people; the host reads the two virtio ports and nothing else.
export PATH=/bin LD_LIBRARY_PATH=/lib
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp /results /run/xen /run/xenstored \
    /var/lib/xen /var/lib/xenstored /var/lock /var/log/xen/console
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
ln -s /run /var/run
ip link set lo up

say() { echo "dom0: $*"; }

# port NAME: the device of the virtio port that the host calls NAME.
port() {
    for entry in /sys/class/virtio-ports/*; do
        [ "$(cat "$entry/name")" = "$1" ] && echo "/dev/${entry##*/}"
    done
}

# end WORD: the only way out. WORD is "done", or says what did not happen.
end() {
    [ "$1" = done ] || observe failed
    echo "$1" >/results/end
    cat /proc/uptime >/results/uptime
    xl dmesg >>/results/xen.log
    dmesg >/results/linux.log
    cp -r /var/log/xen /results/logs
    say "ends: $1"
    sleep 1 # tail looks once a second: the last lines of the guests' console
    exec 8<>"$(port results)"
    tar -C /results -cf - . >&8
    echo "end of results" >&8
    timeout 20 head -c 1 <&8 >/dev/null # QEMU may hold bytes that nobody has taken: the host says so
    poweroff -f
}

# wait_until SECONDS COMMAND...: true as soon as the command is.
wait_until() {
    tries=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

# observe WHEN: what Xen and dom0 hold at this moment, for the host to compare.
observe() {
    folder=/results/$1
    mkdir -p "$folder"
    xl dmesg -c >>/results/xen.log
    xl debug-keys e
    xl debug-keys g
    xl dmesg -c | tee -a /results/xen.log >"$folder/tables"
    timeout 10 xenstore-ls -fp >"$folder/store"
    timeout 10 xl list >"$folder/domains"
}

# start_guest NAME [-p]: creates the guest of /guests/NAME.cfg, paused with -p; its console goes to
# the host as it comes.
start_guest() {
    name=$1
    shift
    : >"/var/log/xen/console/guest-$name.log"
    tail -f "/var/log/xen/console/guest-$name.log" >&7 &
    xl create -F "$@" "/guests/$name.cfg" >"/results/$name.xl" 2>&1 &
    echo $! >"/run/$name.pid"
}

# is_gone PID
is_gone() { ! kill -0 "$1" 2>/dev/null; }

# await_guest NAME SECONDS: false when it has not shut down by then.
await_guest() { wait_until "$2" is_gone "$(cat "/run/$1.pid")"; }

# says NAME TEXT: whether the guest has printed it.
says() { grep -q "$2" "/var/log/xen/console/guest-$1.log"; }

# says_or_gone NAME TEXT
says_or_gone() { says "$1" "$2" || is_gone "$(cat "/run/$1.pid")"; }

# await_line NAME SECONDS TEXT: false when the guest ended without it, or has not printed it by then.
await_line() {
    wait_until "$2" says_or_gone "$1" "$3"
    says "$1" "$3"
}

for module in $(cat /modules/order); do
    insmod "/modules/$module.ko" || say "$module.ko cannot be loaded"
done
exec 7>"$(port console)" # a port opens once
mount -t xenfs xenfs /proc/xen
oxenstored --pid-file /run/xenstored.pid
wait_until 10 xenstore-read -s / || end "no xenstore"
xen-init-dom0 >/dev/null || end "no dom0"
xenconsoled --log=all --pid-file=/run/xenconsoled.pid
say "is up"
. /job.sh
end done
