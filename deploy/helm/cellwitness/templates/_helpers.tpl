{{- define "cellwitness.labels" -}}
app.kubernetes.io/name: cellwitness
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* Of one part: what selects its pods. Takes (dict "root" $ "part" NAME). */ -}}
{{- define "cellwitness.selector" -}}
app.kubernetes.io/name: cellwitness
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "cellwitness.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "cellwitness.profileConfigMap" -}}
{{ .Values.existingProfileConfigMap | default (printf "%s-profile" .Release.Name) }}
{{- end -}}

{{- /* The tables' address without a password. Takes (dict "root" $ "user" NAME). */ -}}
{{- define "cellwitness.db" -}}
{{- $db := .root.Values.database -}}
postgresql://{{ .user }}@{{ $db.host }}:{{ $db.port }}/{{ $db.name }}?sslmode={{ $db.sslmode }}
{{- if $db.caConfigMap -}}&sslrootcert=/etc/cellwitness/ca/ca.crt{{- end -}}
{{- end -}}

{{- define "cellwitness.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "cellwitness.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* What every part's pod is made of. Takes root, part, command (a list), user (of the tables, a dict, or nothing),
       port (of /metrics, or nothing), probes, resources, secretFile (dict secret, key; or nothing), and alone: of a Job that
       runs before anything else of the chart is there. */ -}}
{{- define "cellwitness.pod" -}}
{{- $root := .root -}}
{{- $ca := and .user $root.Values.database.caConfigMap -}}
{{- if not .alone }}
serviceAccountName: {{ $root.Release.Name }}
{{- end }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 60
securityContext:
  {{- include "cellwitness.podSecurity" . | nindent 2 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ .part }}
    image: {{ include "cellwitness.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args:
      {{- concat (list "--log-level" $root.Values.logLevel) .command | toYaml | nindent 6 }}
    securityContext:
      {{- include "cellwitness.containerSecurity" . | nindent 6 }}
    {{- $environment := $root.Values.kafkaEnvironment }}
    {{- if or .user $environment }}
    env:
      {{- range $name, $value := $environment }}
      - {name: {{ $name }}, value: {{ $value | quote }}}
      {{- end }}
      {{- with .user }}
      - name: PGPASSWORD
        valueFrom: {secretKeyRef: {name: {{ .secret }}, key: password}}
      {{- end }}
    {{- end }}
    {{- with $root.Values.kafkaSecret }}
    envFrom:
      - secretRef: {name: {{ . }}}
    {{- end }}
    {{- with .port }}
    ports:
      - {name: http, containerPort: {{ . }}, protocol: TCP}
    {{- end }}
    {{- with .probes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with .resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      - {name: state, mountPath: /var/lib/cellwitness}
      {{- if not .alone }}
      - {name: profile, mountPath: /etc/cellwitness/profile, readOnly: true}
      {{- end }}
      {{- if $ca }}
      - {name: ca, mountPath: /etc/cellwitness/ca, readOnly: true}
      {{- end }}
      {{- with .secretFile }}
      - {name: secret-file, mountPath: /etc/cellwitness/secret, readOnly: true}
      {{- end }}
volumes:
  - {name: tmp, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
  - {name: state, emptyDir: {sizeLimit: 256Mi}}
  {{- if not .alone }}
  - {name: profile, configMap: {name: {{ include "cellwitness.profileConfigMap" $root }}}}
  {{- end }}
  {{- if $ca }}
  - {name: ca, configMap: {name: {{ $root.Values.database.caConfigMap }}}}
  {{- end }}
  {{- with .secretFile }}
  - {name: secret-file, secret: {secretName: {{ .secret }}, defaultMode: 0440, items: [{key: {{ .key }}, path: {{ .key }}}]}}
  {{- end }}
{{- end -}}
