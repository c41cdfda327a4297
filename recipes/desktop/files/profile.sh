# Shells that come from outside the session (phoenix shell, ssh) may open windows in it.
if [ -z "$DISPLAY" ] && [ "$(id -u)" = 1000 ]; then
    set -a
    . /usr/lib/environment.d/50-phoenix.conf
    set +a
fi
