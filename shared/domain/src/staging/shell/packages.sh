# shellcheck shell=sh disable=SC2034,SC2154
# Packages the machine lacks, by apt, dnf or yum; and Python's venv, which models' scripts build on.

# bounded COMMAND...: what a package manager does ends at INSTALL_END, an epoch second.
bounded() {
    BOUND=$((INSTALL_END - $(date +%s)))
    if [ "$BOUND" -le 0 ]; then
        RC=124
        return 124
    elif have timeout; then
        run timeout -k 5 "$BOUND" "$@" </dev/null
    else
        run "$@" </dev/null
    fi
}

# needrestart must not restart the SSM agent under us.
apt() {
    bounded env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -q -y -o DPkg::Lock::Timeout=60 --no-install-recommends "$@"
}

# apt itself waits for dpkg's lock, which a fresh machine's own upgrades hold for a while; the lists' lock it only
# refuses, hence the repeats. They stop with the command they belong to.
apt_install() {
    apt install "$@" && return 0
    APT_TRIES=1
    until apt update; do
        if [ "$RC" -eq 124 ] || [ "$APT_TRIES" -ge 10 ] || ! kill -0 $$; then
            return 1
        fi
        APT_TRIES=$((APT_TRIES + 1))
        run sleep "$((3 * BACKOFF))"
    done
    apt install "$@"
}

# install_package NAME...: names as apt and dnf share them.
install_package() {
    INSTALL_END=$((DEADLINE - 5))
    say "installing $*"
    if have apt-get; then
        apt_install "$@"
    elif have dnf; then
        bounded dnf -q -y install "$@"
    elif have yum; then
        bounded yum -q -y install "$@"
    else
        say 'no package manager that we know'
        return 1
    fi
}

has_venv() { python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

# Runs beside the download. Debian and Ubuntu ship Python without ensurepip, which venv needs.
ensure_venv() {
    have python3 || return 0
    ! has_venv || return 0
    say "installing Python's venv"
    # In this subshell the time ends earlier: a model may do without.
    DEADLINE=$((STARTED + BUDGET * 6 / 10))
    if have apt-get; then
        INSTALL_END=$DEADLINE
        VERSIONED=$(python3 -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        apt_install python3-venv "$VERSIONED" || apt_install python3-venv
    else
        install_package python3-pip
    fi
    has_venv || say 'warning: python3 -m venv does not work and could not be installed'
}
