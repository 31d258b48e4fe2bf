"""What is a secret and what is not: forms that fire, near misses that must stay readable, and the time that hostile texts take."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import vendor_tokens
from collector.redaction import redact, redact_command

# Joined from parts, so that no scanner of this repository takes an example for a leak.
_GITHUB = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
_SLACK = "xoxb-" + "123456789012-abcdefABCDEF"
_STRIPE = "sk_" + "live_0123456789abcdefghijABCD"
_NPM = "npm_" + "0123456789abcdefghijABCDEFGHIJ012345"
_PYPI = "pypi-" + "AgEIcHlwaS5vcmc" + "CJDAw" * 20
_GOOGLE = "AIza" + "SyA0123456789abcdefghijklmnopqrstuv"
_JWT = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxIn0.abcdef"
_PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0123456789\nabcdefABCDEF0123456789\n-----END RSA PRIVATE KEY-----"
_PEM_ESCAPED = "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEF\\nAASCBKcwggSjAgEAAoIBAQ\\n"

FIRES = [
    ("postgres://app:hunter2@db:5432/x", "postgres://app:[REDACTED]@db:5432/x"),
    ("redis://:p@ss@cache:6379", "redis://:[REDACTED]@cache:6379"),
    ("mongodb+srv://u:p/w@h1,h2/db", "mongodb+srv://u:[REDACTED]@h1,h2/db"),
    ("https://oauth2:tok@git/x", "https://oauth2:[REDACTED]@git/x"),
    ('Get "https://user:s3cr3t@host/path": EOF', 'Get "https://user:[REDACTED]@host/path": EOF'),
    ("https://abcdefghij0123456789xyz@github.com/x", "https://[REDACTED]@github.com/x"),
    ("root:hunter2@tcp(db:3306)/x", "root:[REDACTED]@tcp(db:3306)/x"),
    ("jdbc:oracle:thin:scott/tiger@db:1521", "jdbc:oracle:thin:scott/[REDACTED]@db:1521"),
    ("Authorization: Bearer abc.def-123456", "Authorization: Bearer [REDACTED]"),
    ("authorization: token 1234567890abcdef", "authorization: token [REDACTED]"),
    ("curl -H 'Authorization: Basic dXNlcjpwYXNz' x", "curl -H 'Authorization: Basic [REDACTED]' x"),
    ("sent Basic dXNlcjpwYXNzd29yZA== to it", "sent Basic [REDACTED] to it"),
    ("Cookie: session=abcd1234; x=y", "Cookie: session=[REDACTED]"),
    ("X-Api-Key: 12ab34cd56ef", "X-Api-Key: [REDACTED]"),
    ("AKIAIOSFODNN7EXAMPLE is unknown", "[REDACTED] is unknown"),
    ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS_SECRET_ACCESS_KEY=[REDACTED]"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = [REDACTED]"),
    ("AccountName=x;AccountKey=abc123==;EndpointSuffix=core", "AccountName=x;AccountKey=[REDACTED];EndpointSuffix=core"),
    ("https://x.blob/c?sv=2020&sig=abc%2Fdef%3D&se=1", "https://x.blob/c?sv=2020&sig=[REDACTED]&se=1"),
    ("/healthz?token=abc&x=1", "/healthz?token=[REDACTED]&x=1"),
    (f"push with {_GITHUB} failed", "push with [REDACTED] failed"),
    (f"x {_SLACK} y", "x [REDACTED] y"),
    (f"x {_STRIPE} y", "x [REDACTED] y"),
    (f"x {_NPM} y", "x [REDACTED] y"),
    (f"x {_PYPI} y", "x [REDACTED] y"),
    (f"x {_GOOGLE} y", "x [REDACTED] y"),
    (f"jwt {_JWT} expired", "jwt [REDACTED] expired"),
    (f"key:\n{_PEM}\nafter", "key:\n[REDACTED]\nafter"),
    (f'"private_key": "{_PEM_ESCAPED}', '"private_key": "[REDACTED]\\n'),
    (_PEM.split("\n", 1)[1] + "\nafter", "[REDACTED]\nafter"),
    ("password=hunter2", "password=[REDACTED]"),
    ("PGPASSWORD=secret psql", "PGPASSWORD=[REDACTED] psql"),
    ("MYSQL_PWD=abc", "MYSQL_PWD=[REDACTED]"),
    ('"api_key": "abcDEF"', '"api_key": "[REDACTED]"'),
    ('{\\"password\\":\\"hunter2\\"}', '{\\"password\\":\\"[REDACTED]\\"}'),
    ("SECRET_KEY = 'django-insecure-abc'", "SECRET_KEY = '[REDACTED]'"),
    ("password: hunter2 in use", "password: [REDACTED] in use"),
    ("(password: hunter2)", "(password: [REDACTED])"),
    ("db:\n  password: correcthorse\n  user: x", "db:\n  password: [REDACTED]\n  user: x"),
    ("jwt_secret: Zx81kk29aaQ", "jwt_secret: [REDACTED]"),
    ("Server=x;User Id=sa;Password=Pa55;Database=y", "Server=x;User Id=sa;Password=[REDACTED];Database=y"),
    ("//registry.npmjs.org/:_authToken=abc-def", "//registry.npmjs.org/:_authToken=[REDACTED]"),
    ('{"auths":{"r":{"auth": "dXNlcjpwYXNz"}}}', '{"auths":{"r":{"auth": "[REDACTED]"}}}'),
    (".dockerconfigjson: eyJhdXRocyI6e30sIngiOiJ5In0=", ".dockerconfigjson: [REDACTED]"),
    ("run --token foo123 now", "run --token [REDACTED] now"),
    ("mysql -uroot -psecret1 db", "mysql -uroot -p[REDACTED] db"),
    ("curl -u admin:pa55 http://x", "curl -u admin:[REDACTED] http://x"),
    ("sshpass -p 'hunter2' ssh x", "sshpass -p '[REDACTED]' ssh x"),
    ("requirepass foobared", "requirepass [REDACTED]"),
    ("X-Vault-Token: s.abcd1234EFGH5678", "X-Vault-Token: [REDACTED]"),
    ("client-secret: ab12-cd34-ef56", "client-secret: [REDACTED]"),
    ("-Djavax.net.ssl.keyStorePassword=changeit", "-Djavax.net.ssl.keyStorePassword=[REDACTED]"),
    ("<password>hunter2</password>", "<password>[REDACTED]</password>"),
]

STAYS = """\
secret "billing-key" not found
Error: secret "db-creds2" not found
couldn't find key k in Secret ns/name
Error: couldn't find key API_KEY in Secret prod/app-secrets
configmap "x" not found
no basic auth credentials
basic authentication failed for registry
unauthorized: authentication required
failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://auth.docker.io/token?scope=repository%3Ax%3Apull&service=registry.docker.io: 401 Unauthorized
failed to fetch anonymous token: Get "https://auth.docker.io/token?scope=x": dial tcp: lookup auth.docker.io on 10.96.0.10:53: no such host
pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed
www-authenticate: Bearer realm="https://auth.docker.io/token",service="registry"
token expired
token: expired
invalid token: expired
Get "http://10.0.0.1:9999/healthz": dial tcp 10.0.0.1:9999: connect: connection refused
http://registry:5000/v2/a@b
Failed to pull image "registry:5000/img@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef": rpc error
containerd://9f914197112e7f8ab98e67d85a41519d886802c0e5ce4b471305319d8a6ce3e9 exited with 137
Back-off restarting failed container c in pod web-7dd554fdf8-r5wvj_team-02(695169e4-2739-42fe-b576-b9ab111083c8)
MountVolume.SetUp failed for volume "default-token-x7x2p" : secret "default-token-x7x2p" not found
MountVolume.SetUp failed for volume "certs" : references non-existent secret key: tls.key
failed to sync secret cache for volume "db-password": timed out waiting for the condition
error: object "prod"/"app-token" not registered
Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.
open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory
--token-file=/var/run/secrets/tokens/vault-token
--tls-private-key-file=/etc/kubernetes/pki/apiserver.key
secret="prod/db-creds2" err="not found"
FATAL: password authentication failed for user "app"
Access denied for user 'root'@'10.0.0.1' (using password: YES)
Incorrect username or password: 401
sh: DB_PASSWORD: parameter not set
sh: API_KEY: unbound variable
KeyError: 'API_TOKEN'
missing required environment variable DB_PASSWORD
error: --password is required
option '--token' requires an argument
password=${DB_PASSWORD} token=$(cat /x)
password=[REDACTED]
SecretName: db-creds2
FailedMount secret: db-credentials-v2 not found
X-Auth-Token: missing
max_tokens=4096
bypass=true
PWD=/srv/app
SyntaxError: Unexpected token < in JSON at position 0
couldn't parse private key: asn1 structure error
Pod was rejected: Node didn't have enough resource: cpu, requested: 4000, used: 250, capacity: 2000""".split("\n")  # noqa: SIM905 - a text a line is easier to read


@pytest.mark.parametrize(("text", "redacted"), FIRES)
def test_a_secret_is_replaced_and_counted_and_what_is_around_it_stays(text: str, redacted: str) -> None:
    assert redact(text) == (redacted, 1)


@pytest.mark.parametrize("redacted", [redacted for _, redacted in FIRES])
def test_redacting_again_changes_nothing(redacted: str) -> None:
    assert redact(redacted) == (redacted, 0)


@pytest.mark.parametrize("text", STAYS)
def test_what_diagnosis_needs_stays(text: str) -> None:
    assert redact(text) == (text, 0)


def test_every_secret_of_a_text_is_counted() -> None:
    text = f"password=a1b2 and redis://:x1@h and {_GITHUB}"
    assert redact(text) == ("password=[REDACTED] and redis://:[REDACTED]@h and [REDACTED]", 3)


def test_a_key_cut_off_at_its_end_does_not_take_the_rest_of_the_log_with_it() -> None:
    text = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0123456789\nlistening on port 8080\n"
    assert redact(text) == ("[REDACTED]\nlistening on port 8080\n", 1)


@pytest.mark.parametrize(
    ("arguments", "redacted", "count"),
    [
        (["app", "--password", "two words", "-v"], ["app", "--password", "[REDACTED]", "-v"], 1),
        (["app", "--token-file", "/run/token"], ["app", "--token-file", "/run/token"], 0),
        (["app", "--token", "--verbose"], ["app", "--token", "--verbose"], 0),
        (["curl", "-u", "user:pa55", "http://x"], ["curl", "-u", "user:[REDACTED]", "http://x"], 1),
        (["sh", "-c", "export A_TOKEN=abc1; run"], ["sh", "-c", "export A_TOKEN=[REDACTED]; run"], 1),
        (["httpd", "-f", "-p", "8080"], ["httpd", "-f", "-p", "8080"], 0),
    ],
)
def test_a_commands_secret_may_stand_in_the_argument_after_its_flag(
    arguments: list[str], redacted: list[str], count: int
) -> None:
    assert redact_command(arguments) == (redacted, count)


_PLUGIN_PATTERNS = sorted(
    (
        pattern.pattern
        for module, detector in set(vendor_tokens._PLUGINS.values())
        for pattern in vendor_tokens._plugin_patterns(module, detector)
        if detector not in ("DiscordBotTokenDetector", "MailchimpDetector", "TelegramBotTokenDetector", "TwilioKeyDetector")
    )
)


@pytest.mark.parametrize("pattern", _PLUGIN_PATTERNS)
def test_whatever_the_library_recognises_by_a_prefix_is_redacted(pattern: str) -> None:
    @settings(max_examples=30, deadline=None, database=None, derandomize=True)
    @given(st.from_regex(pattern, fullmatch=True, alphabet=st.characters(max_codepoint=126, min_codepoint=33)))
    def every_example(token: str) -> None:
        if len(token) >= 24:  # a Slack token of four letters is none
            text, count = redact(f"x {token} y")
            assert token not in text
            assert count >= 1

    every_example()


_HOSTILE = [
    *(
        "a",
        "=",
        "/",
        '"',
        "'",
        "\\",
        "\\n",
        " ",
        "@",
        "://",
        "://a:",
        "://a:b@",
        "eyJ",
        "eyJa.",
        "password=",
        'password="',
        "token: ",
    ),
    *(
        "--token ",
        "--a-",
        "secret_",
        "private_key",
        "basic ",
        "bearer ",
        "authorization: ",
        "cookie: a=",
        "?token=",
        "mysql -",
        "curl -u ",
    ),
    *(
        "-----BEGIN PRIVATE KEY-----\n",
        "-----END PRIVATE KEY-----",
        "a\nprivate key",
        "thin:a/",
        "a:b@tcp(",
        "xoxb-1-",
        "sk-",
        '"auth":"',
    ),
    *("telegram 12345678:", "twilioAC", ".dockerconfigjson:", "password>a</"),
]


@pytest.mark.parametrize("seed", _HOSTILE)
def test_a_hostile_text_takes_bounded_time(seed: str) -> None:
    whole = (seed * 65_536)[:65_536]
    started = time.process_time()
    redact(whole)
    # Linear work takes some 0.2 s at worst, quadratic work many seconds: the bound leaves room for slow machines only.
    assert time.process_time() - started < 2.0


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_taken_and_redacting_settles(text: str) -> None:
    once, _ = redact(text)
    assert redact(once)[0] == redact(redact(once)[0])[0]
