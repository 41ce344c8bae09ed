#!/usr/bin/env bash
# usage: tests/e2e/cluster/certificates.sh   makes the cluster's authority, its certificates and kubeconfigs in the state folder
set -euo pipefail
. "$(dirname "$0")/settings.sh"
mkdir -p "$state/pki"
cd "$state/pki"
umask 077

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

key ca
openssl req -x509 -new -key ca.key -subj "/CN=$CLUSTER_NAME-ca" -days 365 -out ca.crt \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature
openssl genrsa -out service-accounts.key 2048 2>/dev/null
openssl rsa -in service-accounts.key -pubout -out service-accounts.pub 2>/dev/null

# certificate NAME SUBJECT [NAMES]: a key and a certificate for server and client.
certificate() {
    key "$1"
    {
        echo keyUsage=critical,digitalSignature,keyEncipherment
        echo extendedKeyUsage=serverAuth,clientAuth
        [ -z "${3:-}" ] || echo "subjectAltName=$3"
    } >extensions
    openssl req -new -key "$1.key" -subj "$2" |
        openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -extfile extensions -out "$1.crt" 2>/dev/null
    rm extensions
}

service=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost
certificate apiserver /CN=kube-apiserver "$service,IP:127.0.0.1,IP:$CLUSTER_NODE_IP,IP:$CLUSTER_API_IP"
certificate kubelet "/O=system:nodes/CN=system:node:$node_name" "DNS:$node_name,IP:$CLUSTER_NODE_IP,IP:127.0.0.1"
certificate admin /O=system:masters/CN=admin
certificate controllers /CN=system:kube-controller-manager
certificate scheduler /CN=system:kube-scheduler
certificate proxy /CN=system:kube-proxy
certificate apiserver-kubelet /O=system:masters/CN=apiserver-kubelet-client
certificate front-proxy /CN=front-proxy-client

# kubeconfig NAME FILE
kubeconfig() {
    cat >"$2" <<Y
apiVersion: v1
kind: Config
current-context: $CLUSTER_NAME
clusters: [{name: $CLUSTER_NAME, cluster: {server: "https://$CLUSTER_NODE_IP:6443", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}}]
contexts: [{name: $CLUSTER_NAME, context: {cluster: $CLUSTER_NAME, user: $1}}]
Y
}
for name in kubelet controllers scheduler proxy; do
    kubeconfig "$name" "$name.kubeconfig"
done
kubeconfig admin "$admin"
