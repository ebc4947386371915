#!/bin/sh
# Makes a private authority and a certificate for each service, and leaves alone what is still good:
#
#     certificates.sh FOLDER SERVICE...
#
# FOLDER/authority/ca.key            the authority's key; no service needs it
# FOLDER/trust/ca.crt                what a client trusts
# FOLDER/SERVICE/ca.crt              the same
# FOLDER/SERVICE/SERVICE.{crt,key}   for SERVICE, localhost and 127.0.0.1; the key is its owner's alone, in PKCS#8
#
# A certificate is made anew where it has less than 90 days left, isn't of this authority, doesn't fit its key or has
# other names. Each folder may be a volume of its own: whoever runs this must be the user that the services run as.
#
# MLLOG_CERTIFICATE_NAMES            further names of all services, such as DNS:mllog.example,IP:192.0.2.7
set -eu
umask 077

AUTHORITY_DAYS=3650
SERVICE_DAYS=397
RENEWED_DAYS=90

if [ $# -lt 2 ]; then
    echo "usage: certificates.sh FOLDER SERVICE..." >&2
    exit 2
fi
folder=$1
shift

for part in authority trust "$@"; do
    mkdir -p "$folder/$part"
    if ! [ -w "$folder/$part" ]; then
        echo "certificates.sh: user $(id -u) can't write to $folder/$part: another user made that volume" >&2
        exit 3
    fi
done
# Two at once would make two authorities.
exec 9>"$folder/authority/lock"
flock 9
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

lasts() { # FILE: whether a certificate is there and has time left
    [ -s "$1" ] && openssl x509 -noout -checkend $((RENEWED_DAYS * 86400)) -in "$1" >/dev/null
}

fits() { # CERTIFICATE KEY: whether they belong together
    [ -s "$2" ] && [ "$(openssl x509 -noout -pubkey -in "$1")" = "$(openssl pkey -pubout -in "$2" 2>/dev/null)" ]
}

until_when() { # CERTIFICATE
    openssl x509 -noout -enddate -in "$1" | cut -d= -f2
}

put() { # MODE SOURCE TARGET: whole or not at all, also on another file system
    cp "$2" "$3.new"
    chmod "$1" "$3.new"
    mv -f "$3.new" "$3"
}

authority=$folder/authority
if lasts "$authority/ca.crt" && fits "$authority/ca.crt" "$authority/ca.key"; then
    echo "authority: kept, valid until $(until_when "$authority/ca.crt")"
else
    cat >"$work/authority.cnf" <<END
[req]
prompt = no
distinguished_name = subject
x509_extensions = authority
[subject]
O = mllog
CN = private authority of $(date -u +%Y-%m-%dT%H:%M:%SZ)
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
END
    openssl req -x509 -newkey rsa:3072 -nodes -sha256 -days "$AUTHORITY_DAYS" -config "$work/authority.cnf" \
        -keyout "$work/ca.key" -out "$work/ca.crt" 2>/dev/null
    put 400 "$work/ca.key" "$authority/ca.key"
    put 444 "$work/ca.crt" "$authority/ca.crt"
    echo "authority: made, valid until $(until_when "$authority/ca.crt")"
fi
put 444 "$authority/ca.crt" "$folder/trust/ca.crt"

for service in "$@"; do
    own=$folder/$service
    names=DNS:$service,DNS:localhost,IP:127.0.0.1${MLLOG_CERTIFICATE_NAMES:+,$MLLOG_CERTIFICATE_NAMES}
    certificate=$own/$service.crt
    put 444 "$authority/ca.crt" "$own/ca.crt"
    if lasts "$certificate" && fits "$certificate" "$own/$service.key" &&
        openssl verify -CAfile "$authority/ca.crt" "$certificate" >/dev/null 2>&1 &&
        openssl x509 -noout -ext subjectAltName -in "$certificate" | sed 's/IP Address:/IP:/g; s/, /,/g' |
        grep -qxF "    $names"; then
        echo "$service: kept, valid until $(until_when "$certificate")"
        continue
    fi
    cat >"$work/service.cnf" <<END
[req]
prompt = no
distinguished_name = subject
[subject]
O = mllog
CN = $service
[service]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $names
END
    openssl req -new -newkey rsa:2048 -nodes -config "$work/service.cnf" \
        -keyout "$work/service.key" -out "$work/service.csr" 2>/dev/null
    if ! openssl x509 -req -sha256 -days "$SERVICE_DAYS" -set_serial "0x$(openssl rand -hex 16)" -in "$work/service.csr" \
        -CA "$authority/ca.crt" -CAkey "$authority/ca.key" -extfile "$work/service.cnf" -extensions service \
        -out "$work/service.crt" 2>"$work/said"; then
        cat "$work/said" >&2
        echo "certificates.sh: no certificate for $service with the names $names; MLLOG_CERTIFICATE_NAMES is" \
            "written as DNS:mllog.example,IP:192.0.2.7" >&2
        exit 2
    fi
    put 400 "$work/service.key" "$own/$service.key"
    put 444 "$work/service.crt" "$certificate"
    echo "$service: made, valid until $(until_when "$certificate")"
done
