{{- /* A Job of a hook, with its account and rights: (dict "root" $ "name" "crds" "hook" "pre-install" "rules" list "args" list) */ -}}
{{- define "aigw.hookjob" -}}
{{- $root := .root }}
{{- $name := printf "%s-%s" (include "aigw.fullname" $root) .name }}
{{- $cluster := printf "%s-%s" (include "aigw.clustername" $root | trunc 55 | trimSuffix "-") .name }}
{{- $labels := include "aigw.origin" $root }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- include "aigw.hook" (list .hook "-2") | nindent 4 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $cluster }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- include "aigw.hook" (list .hook "-2") | nindent 4 }}
rules: {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $cluster }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- include "aigw.hook" (list .hook "-1") | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $cluster }}}
subjects: [{kind: ServiceAccount, name: {{ $name }}, namespace: {{ $root.Release.Namespace }}}]
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- include "aigw.hook" (list .hook "-1") | nindent 4 }}
data:
  gateway.yaml: |
    {{- include "aigw.gatewayobjects" $root | nindent 4 }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- include "aigw.hook" (list .hook "0") | nindent 4 }}
spec:
  backoffLimit: 3
  activeDeadlineSeconds: 240
  template:
    metadata:
      labels: {{- $labels | nindent 8 }}
    spec:
      restartPolicy: Never
      serviceAccountName: {{ $name }}
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext: {{- include "aigw.podsecurity" $root | nindent 8 }}
      containers:
        - name: aigw
          image: {{ include "aigw.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: {{- toYaml .args | nindent 12 }}
          resources: {{- toYaml $root.Values.resources | nindent 12 }}
          securityContext: {{- include "aigw.containersecurity" $root | nindent 12 }}
          volumeMounts: [{name: objects, mountPath: /etc/aigw, readOnly: true}]
      volumes: [{name: objects, configMap: {name: {{ $name }}}}]
      {{- with $root.Values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}

{{- define "aigw.hook" -}}
helm.sh/hook: {{ index . 0 }}
helm.sh/hook-weight: {{ index . 1 | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
