"""The fields of Argo v4.1 manifests: names, types and limits, one line a type.

Data only; `schema` reads it. A line is ``Type: field type; field! type``, where ``!`` is required and a type is
``s`` text, ``b`` boolean, ``i32``/``i64`` whole number, ``n`` number, ``is`` whole number or text, ``q`` Kubernetes
quantity, ``any`` anything, ``obj`` a mapping of anything, ``[T]`` a list, ``{T}`` a mapping of names to T, or a type
of this table. After the type may stand limits: ``=A|B`` the allowed words ('' is written ``_``), ``~NAME`` a pattern
of `PATTERNS`, ``min=``/``max=`` of a number, ``len=``/``least=`` the longest text and the fewest items or characters,
``most=`` the most items, ``by=KEY,KEY`` items are unique by these keys. Argo's own CRDs are compared with it by test.
"""
# ruff: noqa: E501

from __future__ import annotations

PATTERNS = {
    "field": r"^[a-zA-Z0-9][-a-zA-Z0-9]*$",
    "parameter": r"^[-a-zA-Z0-9_]+$",
    "artifact": r"^[-a-zA-Z0-9_{}.]+$",
    "metric": r"^[a-zA-Z_][a-zA-Z0-9_]*$",
    "schedule": (
        r"^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|@every\s+([0-9]+(ns|us|µs|ms|s|m|h))+"
        r"|([A-Za-z0-9*,/?-]+\s+){4}[A-Za-z0-9*,/?-]+)$"
    ),
}

# Allowed shapes of names, in words, for messages.
PATTERN_WORDS = {
    "field": "letters, digits and '-', beginning with a letter or digit",
    "parameter": "letters, digits, '-' and '_'",
    "artifact": "letters, digits, '-', '_' and '.'",
    "metric": "letters, digits and '_', beginning with a letter or '_'",
    "schedule": "five cron fields, or @daily, @hourly, @every 10m and the like",
}

WORKFLOW = """
Workflow: apiVersion s; kind s; metadata! ObjectMeta; spec! WorkflowSpec
CronWorkflow: apiVersion s; kind s; metadata! ObjectMeta; spec! CronWorkflowSpec
CronWorkflowSpec: concurrencyPolicy s =Allow|Forbid|Replace; failedJobsHistoryLimit i32; schedules! [s ~schedule] least=1; startingDeadlineSeconds i64 min=0; stopStrategy Expression; successfulJobsHistoryLimit i32; suspend b; timezone s; when s; workflowMetadata ClaimMeta; workflowSpec! WorkflowSpec
ObjectMeta: name s; generateName s; namespace s; labels {s}; annotations {s}; uid s; resourceVersion s; generation i64; creationTimestamp s; deletionTimestamp s; deletionGracePeriodSeconds i64; finalizers [s]; ownerReferences [OwnerReference]; managedFields [obj]; selfLink s
OwnerReference: apiVersion! s; kind! s; name! s; uid! s; controller b; blockOwnerDeletion b
WorkflowSpec: activeDeadlineSeconds i64; affinity Affinity; archiveLogs b; arguments Arguments; artifactGC WorkflowArtifactGC; artifactRepositoryRef ArtifactRepositoryRef; automountServiceAccountToken b; dnsConfig DNSConfig; dnsPolicy s; entrypoint s; executor Executor; executorPlugins [ExecutorPlugin]; hooks {Hook}; hostAliases [HostAlias]; hostNetwork b; imagePullSecrets [LocalRef]; metrics Metrics; nodeSelector {s}; onExit s; parallelism i64 min=1; podDisruptionBudget PodDisruptionBudget; podGC PodGC; podMetadata Metadata; podPriorityClassName s; podResources Resources; podSpecPatch s; priority i32; resourceClaims [ResourceClaim]; retryStrategy RetryStrategy; schedulerName s; securityContext PodSecurityContext; serviceAccountName s; shutdown s; suspend b; synchronization Synchronization; templateDefaults Template; templates [Template] most=200; tolerations [Toleration]; ttlStrategy TTLStrategy; volumeClaimGC VolumeClaimGC; volumeClaimTemplates [ClaimTemplate]; volumes [Volume]; workflowMetadata WorkflowMetadata; workflowTemplateRef WorkflowTemplateRef
WorkflowArtifactGC: forceFinalizerRemoval b; podMetadata Metadata; podSpecPatch s; serviceAccountName s; strategy s =_|OnWorkflowCompletion|OnWorkflowDeletion|Never
ArtifactRepositoryRef: configMap s; key s
DNSConfig: nameservers [s]; options [DNSOption]; searches [s]
DNSOption: name s; value s
Executor: serviceAccountName s
ExecutorPlugin: metadata! PluginMeta; spec! ExecutorPluginSpec
PluginMeta: annotations {s}; finalizers [s]; labels {s}; name s; namespace s
ExecutorPluginSpec: sidecar! ExecutorSidecar
ExecutorSidecar: automountServiceAccountToken b; container! NamedContainer
HostAlias: hostnames [s]; ip! s
LocalRef: name s
Metadata: annotations {s}; labels {s}
PodDisruptionBudget: maxUnavailable is; minAvailable is; selector LabelSelector; unhealthyPodEvictionPolicy s
PodGC: deleteDelayDuration s; labelSelector LabelSelector; strategy s =_|OnPodCompletion|OnPodSuccess|OnWorkflowCompletion|OnWorkflowSuccess
ResourceClaim: name! s; resourceClaimName s; resourceClaimTemplateName s
TTLStrategy: secondsAfterCompletion i32; secondsAfterFailure i32; secondsAfterSuccess i32
VolumeClaimGC: strategy s
WorkflowMetadata: annotations {s}; labels {s}; labelsFrom {Expression}
Expression: expression! s
WorkflowTemplateRef: clusterScope b; name s
"""

TEMPLATES = """
Template: activeDeadlineSeconds is; affinity Affinity; annotations {s}; archiveLocation ArtifactLocation; automountServiceAccountToken b; container Container; containerSet ContainerSet; daemon b; dag DAG; data Data; executor Executor; failFast b; hostAliases [HostAlias]; http HTTP; initContainers [UserContainer]; inputs Inputs; memoize Memoize; metadata Metadata; metrics Metrics; name s len=128 ~field; nodeSelector {s}; outputs Outputs; parallelism i64 min=1; pendingTimeout s; plugin obj; podResources Resources; podSpecPatch s; priorityClassName s; resource Resource; resourceClaims [ResourceClaim]; retryStrategy RetryStrategy; schedulerName s; script Script; securityContext PodSecurityContext; serviceAccountName s; sidecars [UserContainer]; steps [[Step]] least=1; suspend Suspend; synchronization Synchronization; timeout s; tolerations [Toleration]; volumes [Volume]
Step: arguments Arguments; continueOn ContinueOn; hooks {Hook}; inline any; name s len=128 ~field; onExit s; template s; templateRef TemplateRef; when s; withItems any; withParam s; withSequence Sequence
Task: arguments Arguments; continueOn ContinueOn; dependencies [s]; depends s; hooks {Hook}; inline any; name! s len=128 ~field; onExit s; template s; templateRef TemplateRef; when s; withItems any; withParam s; withSequence Sequence
DAG: failFast b; target s; tasks! [Task] least=1 most=200
Sequence: count is; end is; format s; start is
ContinueOn: error b; failed b
Hook: arguments Arguments; expression s; template s; templateRef TemplateRef
TemplateRef: clusterScope b; name s; template s
Arguments: artifacts [Artifact]; parameters [Parameter]
Inputs: artifacts [Artifact]; parameters [Parameter] most=500
Outputs: artifacts [Artifact]; exitCode s; parameters [Parameter]; result s
Parameter: default s; description s; enum [s] least=1; globalName s; name! s ~parameter; value s; valueFrom ValueFrom
ValueFrom: configMapKeyRef KeyRef; default s; event s; expression s; jqFilter s; jsonPath s; parameter s; path s; supplied obj
RetryStrategy: affinity RetryAffinity; backoff Backoff; expression s; limit is; retryPolicy s =Always|OnFailure|OnError|OnTransientError
RetryAffinity: nodeAntiAffinity obj
Backoff: cap s; duration s; factor is; maxDuration s
Synchronization: mutexes [Mutex]; semaphores [Semaphore]
Mutex: database b; name s; namespace s
Semaphore: configMapKeyRef KeyRef; database DatabaseKey; namespace s
DatabaseKey: key! s
Suspend: duration s
Memoize: cache! MemoizeCache; key! s; maxAge! s
MemoizeCache: configMap! LocalRef
Metrics: prometheus! [Metric] most=100
Metric: counter Counter; gauge Gauge; help! s least=1; histogram Histogram; labels [MetricLabel]; name! s ~metric; when s
Counter: value! s least=1
Gauge: operation s =Set|Add|Sub; realtime! b; value! s least=1 len=256
Histogram: buckets! [n]; value! s least=1
MetricLabel: key! s ~metric; value! s
Data: source! DataSource; transformation! [Expression]
DataSource: artifactPaths Artifact
HTTP: body s; bodyFrom HTTPBody; headers [HTTPHeader]; insecureSkipVerify b; method s; successCondition s; timeoutSeconds i64; url! s
HTTPBody: bytes s
HTTPHeader: name! s; value s; valueFrom HTTPHeaderFrom
HTTPHeaderFrom: secretKeyRef KeyRef
Resource: action! s =get|create|apply|delete|replace|patch; failureCondition s; flags [s]; manifest s; manifestFrom ManifestFrom; mergeStrategy s =strategic|merge|json; setOwnerReference b; successCondition s
ManifestFrom: artifact! Artifact
ContainerSet: containers! [SetContainer]; retryStrategy SetRetry; volumeMounts [VolumeMount]
SetRetry: duration s; retries! is
"""

# The artifact stores; `Artifact` and `ArtifactLocation` share them.
STORES = (
    "archiveLogs b; artifactory Artifactory; azure Azure; gcs GCS; git Git; hdfs HDFS; http HTTPArtifact; oss OSS; "
    "plugin PluginArtifact; raw Raw; s3 S3"
)

ARTIFACTS = f"""
Artifact: archive Archive; artifactGC ArtifactGC; deleted b; from s; fromExpression s; globalName s; mode i32 min=0 max=511; name! s ~artifact; optional b; path s; recurseMode b; subPath s; {STORES}
ArtifactLocation: {STORES}
Archive: none obj; tar Tar; zip obj
Tar: compressionLevel i32
ArtifactGC: podMetadata Metadata; serviceAccountName s; strategy s =_|OnWorkflowCompletion|OnWorkflowDeletion|Never
Artifactory: passwordSecret KeyRef; url! s; usernameSecret KeyRef
Azure: accountKeySecret KeyRef; blob! s; container! s; endpoint! s; useSDKCreds b
GCS: bucket s; key! s; serviceAccountKeySecret KeyRef
Git: branch s; depth i64; disableSubmodules b; fetch [s]; insecureIgnoreHostKey b; insecureSkipTLS b; passwordSecret KeyRef; repo! s; revision s; singleBranch b; sshPrivateKeySecret KeyRef; usernameSecret KeyRef
HDFS: addresses [s]; dataTransferProtection s; force b; hdfsUser s; krbCCacheSecret KeyRef; krbConfigConfigMap KeyRef; krbKeytabSecret KeyRef; krbRealm s; krbServicePrincipalName s; krbUsername s; path! s
HTTPArtifact: auth HTTPAuth; headers [Header]; saveStreamViaFile b; url! s
HTTPAuth: basicAuth BasicAuth; clientCert ClientCert; oauth2 OAuth2
BasicAuth: passwordSecret KeyRef; usernameSecret KeyRef
ClientCert: clientCertSecret KeyRef; clientKeySecret KeyRef
OAuth2: clientIDSecret KeyRef; clientSecretSecret KeyRef; endpointParams [EndpointParam]; scopes [s]; tokenURLSecret KeyRef
EndpointParam: key! s; value s
OSS: accessKeySecret KeyRef; bucket s; createBucketIfNotPresent b; endpoint s; key! s; lifecycleRule OSSLifecycle; secretKeySecret KeyRef; securityToken s; useSDKCreds b
OSSLifecycle: markDeletionAfterDays i32; markInfrequentAccessAfterDays i32
PluginArtifact: configuration s; connectionTimeoutSeconds i32; key! s; name s
Raw: data! s
S3: accessKeySecret KeyRef; addressingStyle s =_|path|virtual-hosted; bucket s; caSecret KeyRef; createBucketIfNotPresent S3CreateBucket; encryptionOptions S3Encryption; endpoint s; insecure b; key s; region s; roleARN s; secretKeySecret KeyRef; sessionTokenSecret KeyRef; useSDKCreds b
S3CreateBucket: objectLocking b
S3Encryption: enableEncryption b; kmsEncryptionContext s; kmsKeyId s; serverSideCustomerKeySecret KeyRef
"""

# What every kind of container has; they differ in whether a name is required and in a field or two.
_CONTAINER = (
    "args [s]; command [s]; env [EnvVar] by=name; envFrom [EnvFrom]; image s; imagePullPolicy s; lifecycle Lifecycle; "
    "livenessProbe Probe; ports [Port] by=containerPort,protocol; readinessProbe Probe; resizePolicy [ResizePolicy]; "
    "resources Resources; restartPolicy s; restartPolicyRules [RestartRule]; securityContext SecurityContext; "
    "startupProbe Probe; stdin b; stdinOnce b; terminationMessagePath s; terminationMessagePolicy s; tty b; "
    "volumeDevices [VolumeDevice] by=devicePath; volumeMounts [VolumeMount] by=mountPath; workingDir s"
)

CONTAINERS = f"""
Container: name s; {_CONTAINER}
NamedContainer: name! s; {_CONTAINER}
Script: name s; source s; {_CONTAINER}
SetContainer: name! s; dependencies [s]; {_CONTAINER}
UserContainer: name! s; mirrorVolumeMounts b; {_CONTAINER}
EnvVar: name! s; value s; valueFrom EnvVarFrom
EnvVarFrom: configMapKeyRef KeyRef; fieldRef FieldRef; fileKeyRef FileKeyRef; resourceFieldRef ResourceFieldRef; secretKeyRef KeyRef
EnvFrom: configMapRef OptionalRef; prefix s; secretRef OptionalRef
KeyRef: key! s; name s; optional b
OptionalRef: name s; optional b
FieldRef: apiVersion s; fieldPath! s
FileKeyRef: key! s; optional b; path! s; volumeName! s
ResourceFieldRef: containerName s; divisor q; resource! s
Lifecycle: postStart Handler; preStop Handler; stopSignal s
Handler: exec Exec; httpGet HTTPGet; sleep Sleep; tcpSocket TCPSocket
Exec: command [s]
HTTPGet: host s; httpHeaders [Header]; path s; port! is; scheme s
Header: name! s; value! s
Sleep: seconds! i64
TCPSocket: host s; port! is
Probe: exec Exec; failureThreshold i32; grpc GRPC; httpGet HTTPGet; initialDelaySeconds i32; periodSeconds i32; successThreshold i32; tcpSocket TCPSocket; terminationGracePeriodSeconds i64; timeoutSeconds i32
GRPC: port! i32; service s
Port: containerPort! i32; hostIP s; hostPort i32; name s; protocol s
ResizePolicy: resourceName! s; restartPolicy! s
Resources: claims [Claim] by=name; limits {{q}}; requests {{q}}
Claim: name! s; request s
RestartRule: action! s; exitCodes ExitCodes
ExitCodes: operator! s; values [i32]
SecurityContext: allowPrivilegeEscalation b; appArmorProfile Profile; capabilities Capabilities; privileged b; procMount s; readOnlyRootFilesystem b; runAsGroup i64; runAsNonRoot b; runAsUser i64; seLinuxOptions SELinux; seccompProfile Profile; windowsOptions Windows
PodSecurityContext: appArmorProfile Profile; fsGroup i64; fsGroupChangePolicy s; runAsGroup i64; runAsNonRoot b; runAsUser i64; seLinuxChangePolicy s; seLinuxOptions SELinux; seccompProfile Profile; supplementalGroups [i64]; supplementalGroupsPolicy s; sysctls [Header]; windowsOptions Windows
Profile: localhostProfile s; type! s
Capabilities: add [s]; drop [s]
SELinux: level s; role s; type s; user s
Windows: gmsaCredentialSpec s; gmsaCredentialSpecName s; hostProcess b; runAsUserName s
VolumeDevice: devicePath! s; name! s
VolumeMount: mountPath! s; mountPropagation s; name! s; readOnly b; recursiveReadOnly s; subPath s; subPathExpr s
"""

PLACEMENT = """
Affinity: nodeAffinity NodeAffinity; podAffinity PodAffinity; podAntiAffinity PodAffinity
NodeAffinity: preferredDuringSchedulingIgnoredDuringExecution [PreferredNodeTerm]; requiredDuringSchedulingIgnoredDuringExecution RequiredNodes
PreferredNodeTerm: preference! NodeTerm; weight! i32
NodeTerm: matchExpressions [Requirement]; matchFields [Requirement]
Requirement: key! s; operator! s; values [s]
RequiredNodes: nodeSelectorTerms! [NodeTerm]
PodAffinity: preferredDuringSchedulingIgnoredDuringExecution [PreferredPodTerm]; requiredDuringSchedulingIgnoredDuringExecution [PodTerm]
PreferredPodTerm: podAffinityTerm! PodTerm; weight! i32
PodTerm: labelSelector LabelSelector; matchLabelKeys [s]; mismatchLabelKeys [s]; namespaceSelector LabelSelector; namespaces [s]; topologyKey! s
LabelSelector: matchExpressions [Requirement]; matchLabels {s}
Toleration: effect s; key s; operator s; tolerationSeconds i64; value s
"""

VOLUMES = """
Volume: awsElasticBlockStore AWSDisk; azureDisk AzureDisk; azureFile AzureFile; cephfs CephFS; cinder Cinder; configMap ConfigMapVolume; csi CSI; downwardAPI DownwardAPI; emptyDir EmptyDir; ephemeral Ephemeral; fc FC; flexVolume Flex; flocker Flocker; gcePersistentDisk GCEDisk; gitRepo GitRepo; glusterfs Gluster; hostPath HostPath; image ImageVolume; iscsi ISCSI; name! s; nfs NFS; persistentVolumeClaim ClaimVolume; photonPersistentDisk PhotonDisk; portworxVolume Portworx; projected Projected; quobyte Quobyte; rbd RBD; scaleIO ScaleIO; secret SecretVolume; storageos StorageOS; vsphereVolume VSphere
AWSDisk: fsType s; partition i32; readOnly b; volumeID! s
AzureDisk: cachingMode s; diskName! s; diskURI! s; fsType s; kind s; readOnly b
AzureFile: readOnly b; secretName! s; shareName! s
CephFS: monitors! [s]; path s; readOnly b; secretFile s; secretRef LocalRef; user s
Cinder: fsType s; readOnly b; secretRef LocalRef; volumeID! s
ConfigMapVolume: defaultMode i32; items [KeyPath]; name s; optional b
KeyPath: key! s; mode i32; path! s
CSI: driver! s; fsType s; nodePublishSecretRef LocalRef; readOnly b; volumeAttributes {s}
DownwardAPI: defaultMode i32; items [DownwardItem]
DownwardItem: fieldRef FieldRef; mode i32; path! s; resourceFieldRef ResourceFieldRef
EmptyDir: medium s; sizeLimit q
Ephemeral: volumeClaimTemplate EphemeralClaim
EphemeralClaim: metadata ClaimMeta; spec! ClaimSpec
ClaimMeta: annotations {s}; finalizers [s]; generateName s; labels {s}; name s; namespace s
ClaimSpec: accessModes [s]; dataSource ObjectRef; dataSourceRef NamespacedRef; resources ClaimResources; selector LabelSelector; storageClassName s; volumeAttributesClassName s; volumeMode s; volumeName s
ObjectRef: apiGroup s; kind! s; name! s
NamespacedRef: apiGroup s; kind! s; name! s; namespace s
ClaimResources: limits {q}; requests {q}
FC: fsType s; lun i32; readOnly b; targetWWNs [s]; wwids [s]
Flex: driver! s; fsType s; options {s}; readOnly b; secretRef LocalRef
Flocker: datasetName s; datasetUUID s
GCEDisk: fsType s; partition i32; pdName! s; readOnly b
GitRepo: directory s; repository! s; revision s
Gluster: endpoints! s; path! s; readOnly b
HostPath: path! s; type s
ImageVolume: pullPolicy s; reference s
ISCSI: chapAuthDiscovery b; chapAuthSession b; fsType s; initiatorName s; iqn! s; iscsiInterface s; lun! i32; portals [s]; readOnly b; secretRef LocalRef; targetPortal! s
NFS: path! s; readOnly b; server! s
ClaimVolume: claimName! s; readOnly b
PhotonDisk: fsType s; pdID! s
Portworx: fsType s; readOnly b; volumeID! s
Projected: defaultMode i32; sources [ProjectedSource]
ProjectedSource: clusterTrustBundle TrustBundle; configMap ProjectedMap; downwardAPI ProjectedDownward; podCertificate PodCertificate; secret ProjectedMap; serviceAccountToken ServiceAccountToken
TrustBundle: labelSelector LabelSelector; name s; optional b; path! s; signerName s
ProjectedMap: items [KeyPath]; name s; optional b
ProjectedDownward: items [DownwardItem]
PodCertificate: certificateChainPath s; credentialBundlePath s; keyPath s; keyType! s; maxExpirationSeconds i32; signerName! s; userAnnotations {s}
ServiceAccountToken: audience s; expirationSeconds i64; path! s
Quobyte: group s; readOnly b; registry! s; tenant s; user s; volume! s
RBD: fsType s; image! s; keyring s; monitors! [s]; pool s; readOnly b; secretRef LocalRef; user s
ScaleIO: fsType s; gateway! s; protectionDomain s; readOnly b; secretRef! LocalRef; sslEnabled b; storageMode s; storagePool s; system! s; volumeName s
SecretVolume: defaultMode i32; items [KeyPath]; optional b; secretName s
StorageOS: fsType s; readOnly b; secretRef LocalRef; volumeName s; volumeNamespace s
VSphere: fsType s; storagePolicyID s; storagePolicyName s; volumePath! s
ClaimTemplate: apiVersion s; kind s; metadata ClaimMeta; spec ClaimSpec; status ClaimStatus
ClaimStatus: accessModes [s]; allocatedResourceStatuses {s}; allocatedResources {q}; capacity {q}; conditions [ClaimCondition] by=type; currentVolumeAttributesClassName s; modifyVolumeStatus ModifyStatus; phase s
ClaimCondition: lastProbeTime s; lastTransitionTime s; message s; reason s; status! s; type! s
ModifyStatus: status! s; targetVolumeAttributesClassName s
"""

TABLE = "\n".join((WORKFLOW, TEMPLATES, ARTIFACTS, CONTAINERS, PLACEMENT, VOLUMES))
