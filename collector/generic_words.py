"""Words that name nobody's affair: what Kubernetes, runtimes, public images and diagnosis itself speak of. Data, nothing else.

An anonymised recording keeps them, also where they are a container's name: replaced, they would make messages unreadable for the
rules. A test holds that every word that the processor looks for in messages is among them. Words of less than three characters
and numbers are kept anyway.
"""

from typing import Final

GENERIC_WORDS: Final = frozenset(
    """
about above access account acks active activedeadlineseconds add address addresses admission admit affinity after again agent
agents ago aiokafka alertmanager all allocatable allocate allow allowed allowprivilegeescalation allows alone alpine already
always amd64 and anew another answer answered answering answers any apache apart api app apparmor appear application apply apps
apr arch architecture are argo argoproj args argument arguments arm64 ask asks assigned attach attached attempts aug auth
authenticate authentication authorization autoscaler available awaiting away aws azure back backend background backoff
backslashreplace bad badly base basic batch because been before behind being beside beta better between bin binary bind bit
bitnami blip bootstrap both bound breaks bridge broken broker brokers bucket build buildx built bundle busybox but bytes cache
caches calico call came can canary canceled cancelling cannot capacity case cases cause caused causes cert certificates cfg
cgroup change changed changelog chart chdir check checknodeunschedulable child chmod cilium claim claims class clean cleanup
client clock closed cloud cluster clusters cni code codes collector com combined comes command commands commit communications
compact compare complete completed component conf config configmap configmaps configs configuration connect connectexception
connection connections console consumer consumption container containercannotrun containercreating containerd containers
containersnotready containersready containerstatusunknown content context control controller controllers coordination core
coredns correct correlate correlation correlationsettings could couldn count cpu crash crashed crashes crashloopbackoff create
createcontainerconfigerror createcontainererror created creating creation credentials cri crictl crio critical cron cronjob
cronjobs csi curl cwd daemon daemonset daemonsets data database dataschema dead deadline deadlineexceeded deallocate debian
debug dec declared declares decoding default defined definition delay delete deleted deleting deletion deletionbypodgc
deletionbytaintmanager denied dependencies dependency deploy deployment deployments describe detach dev device devices
devicetaintmanagereviction diagnosis dial did didn digest directive directories directory disk disruptiontarget dmesg dns
docker docs does done down downward driver dropped drops due during eacces each eai earlier earliest econnrefused econnreset
ecr edge edit ehostunreach else emerg empty emptydir enable end ended endpoints ends engine enoent enotfound enough entrypoint
env envfrom environment eof ephemeral ephemeralcontainers episodes erofs errimageneverpull errimagepull errinvalidimagename
errno error errored errors etc etcd eth etimedout event events ever every evicted eviction evictionbyevictionapi evidence
exactly example exceeded exceeding exceeds exception exec executable executed exist existent exists exit exiting exits expected
expired explain explains exporter externally extract factor failed failedattachvolume failedbinding failedcreatepodcontainer
failedcreatepodsandbox failedmapvolume failedmount failednodedeclaredfeaturescheck failedpodsandboxstatus failedpoststarthook
failedpreparedynamicresources failedprestophook failedresourceclaimcreation failedscheduling failing fails failure failures
failurethreshold false family far fatal fault faust features feb file filenotfounderror files find finds finish finished fires
firewall first fit fits five flag flannel float flux followed follows for forbidden force foreground form format found frame
free fri from frontend fsgroup full function gate gateway gave gcr generic get getaddrinfo getent gets ghcr git github gitlab
give gives golang gone good google grace grafana green grep group grows grpc had hand handshake happened haproxy has hash have
having head heading health healthy healthz heap hello helm here hides higher history hold holds home hook host hostport
hostportconflict hosts hour how hpa http httpd httpget httpheaders https hub idempotence idle ifnotpresent ignored image
imageinspecterror imagepullbackoff imagepullpolicy imagepullsecrets images imminent implement import improperlyconfigured
incorrect index info ing ingress ini init initcontainers initial initialized input inspect inspectfailed install installed
instance insufficient insufficientresource internal interpreter into invalid invalidimagename invalidnodeinfo ipam istio its
itself jan java javascript job jobs journal journalctl json jul jun just k3s k8s kafka keep keeps kernel key keyerror keys
kibana kill killed killing kills kind known knows kube kubectl kubelet kubernetes labels lacks large larger last later latest
layer leader lease least left less let lets letter lettered lib libraries library lifecycle like limit limited limits line
lines link linux linuxkit list listen listened listening listens literal live lived liveness livenessprobe livez load loaded
loading local localhost log loghint login logs loki long longer look lookup loop lost low lower lowercase machine made main
make making malformed manager manifest many mar master match matchnodeselector matter max may mcr meant mechanism meets memory
mentions message met metrics mib microservice migration min minute minutes mirror misbehaving misconfigured mismatch miss
missing mixin mkdir mnt mode moment mon mongo mongodb more mount mounted mounting mounts mountvolume moved multi must mysql
name named names namespace native near need needed needs net network networknotready networkpolicies never new newer next nginx
node nodeaffinity nodecontrollereviction nodejs nodelost nodenotready nodeports nodes nodeselector nodeshutdown noise non none
normal not nothing notice nov now npm null number numeric object objects observed oci oct off offs offset offsets often old
older once one onfailure only onto oom oomkilled open opened operation operator opt option optional order org oserror oss other
others out outof outofcpu outofmemory output outs outside over override own package panic panicked parameter parent parse
parsed parser parsing partial partition partitionkey partitions password path paths patient pause peer pending percona period
periodseconds permission permissionerror permitted persistentvolumeclaim phase php pid pip pipe place placeholder plain planned
platform plugin pod podcause poddisruptionbudget podfeatureunsupported podfitshostports podinitializing
podlevelresourcesnotadmittedreason podman podosnotsupported podosselectornodelabeldoesnotmatch pods podscheduled
podtoleratesnodetaints point policy pool port ports post postgres postgresql poststart poststarthook poststarthookerror pre
precreatehookerror preempted preempting preemption preemptionbyscheduler preface present pressure prestarthookerror prestop
prestophook previous primary priority priorityclassname private probe problem proc process processor procfd prod production
profile program prometheus proof propert properties property protocol proxy proxyconnect pub public published pull pulled
pulling pulls push pushed put pvc python quantity quay queue rabbitmq race rails raise ran rancher range rate raw reach
reachable reached reaches reaching react read readiness readinessprobe reading readonlyrootfilesystem reads ready readyz really
reason reasons rebooted received recognised record records recovered redis reference references refers refines refusals refuse
refused refuses registered registry registryunavailable rejected relation release remove repeated replaced replica replicas
replicaset replicasets replicated replication replicationcontroller repo report repository request requested requests require
required requires reserve reserved reset resize resolution resolve resolved resource resources responded response rest restart
restarted restarting restartpolicy restarts resulted retry revision rewrite right rocksdb rocksdict rollout rollouts root
rootfs route row rpc rror ruby rule rules run runasnonroot runasuser runc runcontainererror running runs runtime runtimes rust
said same sample sandbox sandboxchanged sasl sat say says sbin scala scaled schedule scheduled scheduler schedulererror
schedulinggated schema scheme scope sctp sdk search seccomp second seconds secret secrets security securitycontext see seen
segmentation select selection selector selectors selinux sep sequence server servers service serviceaccount serviceunavailable
serving session set setting settings setup severity sha shard shell shop short shorter show shut shutdown sidecar sigabrt
sigbus sigfpe sigill sigkill signal signals signaturevalidationfailed sigsegv sigterm similar since site size sizelimit skip
skipped skopeo slim slow slowly socket sockettimeoutexception some something sooner source space speak speaks spec specified
specversion spring sql srv ssh ssl stable stage staging standard standby start started starterror starting starts startup
startupprobe stat state stateful statefulset statefulsets status statuscode still stop stopped stopping stops storage store
stream streams subject subjects subpath succeeded succeeds successfully such sun surrogatepass svc swarm sync syntax sys sysctl
sysctlforbidden system systemoom table tag tags tail taint taintmanagereviction taints taken takes task tcp tcpsocket tell
temporary terminated termination test tester testing tests than thanos that the them then there they third this thread three
threshold through thu time timed timeout timeoutseconds times tini tls tmp token told toleration tomcat toml too took tool
tools toomanyrequests topic topics topologyaffinityerror touched trace track traffic trailing translate transport true try tue
tuple turn twice two type ubuntu udp uid unable unauthorized unavailable unbound undefined under unexpected
unexpectedadmissionerror unfit unhealthy unimplemented unknown unknownhostexception unmounted unpack unreachable unrecognized
unschedulable unset until untouched updated upstream url usage use user username users uses using usr utf util utils valid
validationerror validationerrors value valuefrom var variable variant vault verdict verdicts version view void volume
volumeattachmentlimitexceeded volumeattachments volumeconditionabnormal volumes wait waiting wake warn warning was watch
watched web webb webhook wed well were wget what whatever wheel when where which while whose why wide will window windows wins
wish with within without word words work worked worker workers workload works writable write writes written wrong xmx yaml yet
you your zero zookeeper
""".split()  # noqa: SIM905 - a thousand quoted words would be no easier to read
)
