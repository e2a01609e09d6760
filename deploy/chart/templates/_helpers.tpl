{{- define "scimshim.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "scimshim.selector" -}}
app.kubernetes.io/name: scimshim
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "scimshim.labels" -}}
{{ include "scimshim.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: scim
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "scimshim.image" -}}
{{- if .Values.image.digest }}{{ printf "%s@%s" .Values.image.repository .Values.image.digest }}{{ else }}{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}{{ end }}
{{- end }}

{{- define "scimshim.configMap" -}}
{{ .Values.existingConfigMap | default (include "scimshim.name" .) }}
{{- end }}

{{/* The container, wherever it runs. */}}
{{- define "scimshim.container" -}}
- name: scimshim
  image: {{ include "scimshim.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- if and (ne .Values.mode "standalone") .Values.sidecar.native }}
  # Started before the application, ended after it.
  restartPolicy: Always
  {{- end }}
  args: [run, --config, /etc/scimshim/config.toml]
  ports:
    - name: scim
      containerPort: {{ .Values.ports.scim }}
      protocol: TCP
    - name: scim-metrics
      containerPort: {{ .Values.ports.admin }}
      protocol: TCP
  # It listens, and the configuration is in force.
  startupProbe:
    httpGet:
      path: /startupz
      port: scim-metrics
    periodSeconds: 1
    failureThreshold: 60
  # The process answers. The application is not asked: a restart of this container would not mend it.
  livenessProbe:
    httpGet:
      path: /livez
      port: scim-metrics
    periodSeconds: 10
    timeoutSeconds: 3
    failureThreshold: 3
  # It listens and is not draining.
  readinessProbe:
    httpGet:
      path: /readyz
      port: scim-metrics
    periodSeconds: 5
    timeoutSeconds: 3
    failureThreshold: 2
  lifecycle:
    preStop:
      # Not ready from here on; returns when nothing was asked for five seconds, or after the wait.
      exec:
        command: [/usr/local/bin/scimshim, drain, --admin, "127.0.0.1:{{ .Values.ports.admin }}", --wait, {{ .Values.drain.wait }}s, --quiet, 5s]
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
    seccompProfile:
      type: RuntimeDefault
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  volumeMounts:
    # Whole folders: a file that is mounted by subPath never changes.
    - name: scimshim-config
      mountPath: /etc/scimshim
      readOnly: true
    {{- if .Values.secret.name }}
    - name: scimshim-secrets
      mountPath: /run/secrets/scimshim
      readOnly: true
    {{- end }}
{{- end }}

{{- define "scimshim.volumes" -}}
- name: scimshim-config
  configMap:
    name: {{ include "scimshim.configMap" . }}
{{- if .Values.secret.name }}
- name: scimshim-secrets
  secret:
    secretName: {{ .Values.secret.name }}
    # Only this container mounts it.
    defaultMode: 0444
{{- end }}
{{- end }}

{{- define "scimshim.grace" -}}
{{- $needed := add .Values.drain.wait .Values.drain.timeout }}
{{- if le (int .Values.drain.grace) (int $needed) }}
{{- fail (printf "drain.grace has to be more than drain.wait and drain.timeout together, which are %d" $needed) }}
{{- end }}
{{- .Values.drain.grace }}
{{- end }}
