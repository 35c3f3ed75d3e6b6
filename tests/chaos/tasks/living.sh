# One attempt of a command, noted as chaostasks.py does it: living.sh SECONDS [TIMES]
# It fails in the first TIMES attempts. What it starts holds the lock of the job too, for that is part of the attempt.
note() {
    echo "$1 $JOBRUN_ID $JOBRUN_TOKEN $$ $JOBRUN_ATTEMPT" >> "$EFFECTS"
}
exec 9>> "$EFFECTS.$JOBRUN_ID"
flock -n 9 || note X
note S
sleep "$1"
if [ "$JOBRUN_ATTEMPT" -le "${2:-0}" ]; then
    note F
    exit 1
fi
note E
