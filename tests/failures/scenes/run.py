"""An app that is built, and does not run: ports, services, files, config vars, its own code."""

from tests.failures.scene import SERVER, Scene

LOCK = "npm install --package-lock-only"
OK = "http.createServer((_, out) => out.end('ok'))"
HTTP = "const http = require('http');\n"
CONNECT = """const net = require('net');
const place = new URL(process.env.%s || '%s');
const socket = net.connect(Number(place.port), place.hostname, () => {
  socket.destroy();
  require('http').createServer((_, out) => out.end('ok')).listen(process.env.PORT);
});
"""
REACHABLE = "tcp://registry.npmjs.org:443"

SCENES = (
    Scene(
        "port_in_use",
        "port_in_use",
        "start",
        files={
            "server.js": HTTP
            + OK
            + ".listen(process.env.PORT);\n"
            + OK
            + ".listen(process.env.PORT);\n"
        },
        edits={"server.js": (";\n" + OK + ".listen(process.env.PORT);", ";", "Listen once")},
    ),
    Scene(
        "port_forbidden",
        "port_forbidden",
        "start",
        files={"server.js": HTTP + OK + ".listen(80);\n"},
        says=["server.js, line 2"],
        edits={"server.js": ("80", "process.env.PORT", "process.env.PORT")},
    ),
    Scene(
        "port_is_no_number",
        "port_is_no_number",
        "start",
        files={"server.js": HTTP + OK + ".listen(Number(process.env.PORT + ';'));\n"},
        says=["server.js, line 2"],
        edits={
            "server.js": ("process.env.PORT + ';'", "process.env.PORT", "Number(process.env.PORT)")
        },
    ),
    Scene(
        "address_not_here",
        "address_not_here",
        "start",
        files={"server.js": HTTP + OK + ".listen(process.env.PORT, '203.0.113.7');\n"},
        edits={"server.js": (", '203.0.113.7'", "", "without an address")},
    ),
    Scene(
        "wrong_port",
        "wrong_port",
        "start",
        files={
            "server.js": HTTP + OK + ".listen(4567, () => console.log('listening on port 4567'));\n"
        },
        exit=None,
        says=["4567"],
        edits={"server.js": ("4567, ()", "process.env.PORT || 4567, ()", "process.env.PORT")},
    ),
    Scene(
        "port_never_opened",
        "port_never_opened",
        "start",
        files={"server.js": "setInterval(() => {}, 1000);\n"},
        exit=None,
        edits={"server.js": ("", SERVER, "process.env.PORT")},
    ),
    Scene(
        "exited_at_start",
        "exited_at_start",
        "start",
        files={"server.js": "console.log('done');\n"},
        exit=0,
        edits={"server.js": ("", SERVER, "process.env.PORT")},
    ),
    *(
        Scene(
            f"{service}_on_localhost",
            "database_on_localhost",
            "start",
            files={"server.js": CONNECT % (variable, f"tcp://localhost:{port}")},
            says=[name, variable],
            fills={
                f"'<address of your {name}>'": REACHABLE,
                f"<address of your {name}>": REACHABLE,
            },
        )
        for service, name, variable, port in (
            ("postgres", "PostgreSQL", "DATABASE_URL", 5432),
            ("mongo", "MongoDB", "MONGO_URL", 27017),
            ("redis", "Redis", "REDIS_URL", 6379),
        )
    ),
    Scene(
        "pg_refused",
        "database_on_localhost",
        "start",
        {"dependencies": {"pg": "8.16.3"}},
        {
            "server.js": "const { Client } = require('pg');\nnew Client({ connectionString: process.env.DATABASE_URL || 'postgres://localhost/x' }).connect().then(() => 1);\n"
        },
        types=[LOCK],
        says=["PostgreSQL"],
        mendable=False,
    ),
    Scene(
        "mongoose_refused",
        "database_on_localhost",
        "start",
        {"dependencies": {"mongoose": "8.19.1"}},
        {
            "server.js": "require('mongoose').connect('mongodb://127.0.0.1:27017/x', { serverSelectionTimeoutMS: 2000 });\n"
        },
        types=[LOCK],
        says=["MongoDB"],
        mendable=False,
    ),
    Scene(
        "ioredis_refused",
        "database_on_localhost",
        "start",
        {"dependencies": {"ioredis": "5.8.1"}},
        {
            "server.js": "const Redis = require('ioredis');\nnew Redis({ maxRetriesPerRequest: 0, retryStrategy: () => null }).ping().then(() => 1);\n"
        },
        types=[LOCK],
        says=["Redis"],
        mendable=False,
    ),
    Scene(
        "release_command",
        "database_on_localhost",
        "start",
        files={
            "Procfile": "web: node server.js\nrelease: node migrate.js\n",
            "migrate.js": (CONNECT % ("DATABASE_URL", "tcp://localhost:5432")).replace(
                "require('http').createServer((_, out) => out.end('ok')).listen(process.env.PORT);",
                "",
            ),
        },
        says=["PostgreSQL", "DATABASE_URL"],
        fills={
            "'<address of your PostgreSQL>'": REACHABLE,
            "<address of your PostgreSQL>": REACHABLE,
        },
    ),
    Scene(
        "host_unknown",
        "host_unknown",
        "start",
        files={"server.js": CONNECT % ("REDIS_URL", "redis://redis:6379")},
        says=["redis"],
        mendable=False,
    ),
    Scene(
        "mongoose_without_address",
        "config_var_missing",
        "start",
        {"dependencies": {"mongoose": "8.19.1"}},
        {"server.js": "require('mongoose').connect(process.env.MONGODB_URL);\n"},
        types=[LOCK],
        says=["MONGODB_URL", "server.js, line 1"],
        mendable=False,
    ),
    Scene(
        "jwt_without_secret",
        "config_var_missing",
        "start",
        {"dependencies": {"jsonwebtoken": "9.0.2"}},
        {
            "server.js": "require('jsonwebtoken').sign({ a: 1 }, process.env.JWT_KEY_SECRET);\n"
            + SERVER
        },
        types=[LOCK],
        says=["JWT_KEY_SECRET"],
        fills={"'<value>'": "x", "<value>": "x"},
    ),
    Scene(
        "envalid",
        "config_var_missing",
        "start",
        {"dependencies": {"envalid": "8.1.0"}},
        {
            "server.js": "const { cleanEnv, str } = require('envalid');\ncleanEnv(process.env, { API_TOKEN: str() });\n"
            + SERVER
        },
        types=[LOCK],
        says=["API_TOKEN"],
        fills={"<value>": "x"},
    ),
    Scene(
        "thrown_by_hand",
        "config_var_missing",
        "start",
        files={
            "server.js": "if (!process.env.STRIPE_KEY) throw new Error('Missing required environment variable: STRIPE_KEY');\n"
            + SERVER
        },
        says=["STRIPE_KEY"],
        fills={"<value>": "x"},
    ),
    Scene(
        "env_read",
        "config_var_missing",
        "start",
        files={"server.js": "const [host] = process.env.ALLOWED_HOSTS.split(',');\n" + SERVER},
        says=["server.js, line 1"],
        fills={"<value>": "a,b"},
    ),
    Scene(
        "undefined_read",
        "undefined_read",
        "start",
        files={"server.js": "const { hosts } = process.env;\nhosts.split(',');\n" + SERVER},
        says=["server.js, line 2"],
        fills={"<NAME>=<value>": "hosts=a,b"},
    ),
    Scene(
        "unhandled_rejection",
        "unhandled_rejection",
        "start",
        files={"server.js": "Promise.reject('no');\n" + SERVER},
        edits={
            "server.js": (
                "Promise.reject('no')",
                "Promise.reject('no').catch(console.error)",
                ".catch(",
            )
        },
    ),
    Scene(
        "syntax_error",
        "syntax_error",
        "start",
        files={"server.js": "const = 1;\n" + SERVER},
        says=["server.js, line 1"],
        edits={"server.js": ("const = 1;\n", "", "server.js, line 1")},
    ),
    Scene(
        "route_pattern",
        "route_pattern",
        "start",
        {"dependencies": {"express": "5.1.0"}},
        {
            "server.js": "const app = require('express')();\napp.get('*', (_, out) => out.end('ok'));\napp.listen(process.env.PORT);\n"
        },
        types=[LOCK],
        edits={"server.js": ("'*'", "'/{*splat}'", "'/{*splat}'")},
    ),
    Scene(
        "dotenv_missing",
        "dotenv_missing",
        "start",
        {"scripts": {"start": "node --env-file=.env server.js"}},
        {".env": "# mine\nCOLOR=red\n", ".gitignore": "node_modules\n.env\n"},
        edits={
            "package.json": (
                "--env-file=.env",
                "--env-file-if-exists=.env",
                "--env-file-if-exists=.env",
            )
        },
    ),
    Scene(
        "no_write_outside_app",
        "no_write_outside_app",
        "start",
        files={"server.js": "require('fs').mkdirSync('/data/uploads');\n" + SERVER},
        says=["/data/uploads"],
        edits={"server.js": ("/data/uploads", "/tmp/uploads", "a path in /tmp")},
    ),
    Scene(
        "no_write_to_usr",
        "no_write_outside_app",
        "start",
        files={"server.js": "require('fs').writeFileSync('/usr/lib/x.txt', '');\n" + SERVER},
        says=["/usr/lib/x.txt"],
        edits={"server.js": ("/usr/lib/x.txt", "/tmp/x.txt", "a path in /tmp")},
    ),
    Scene(
        "file_missing",
        "file_missing",
        "start",
        files={
            "server.js": "require('fs').readFileSync(__dirname + '/config/keys.json');\n" + SERVER,
            "config/keys.json": "{}",
            ".gitignore": "node_modules\nkeys.json\n",
        },
        says=["config/keys.json"],
        ignored=["config/keys.json"],
    ),
    Scene(
        "lfs_pointer",
        "lfs_pointer",
        "start",
        files={
            "server.js": "require('./data.json');\n" + SERVER,
            "data.json": "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n",
        },
        mendable=False,
    ),
    Scene(
        "merge_conflict_in_code",
        "merge_conflict",
        "start",
        files={"server.js": "<<<<<<< HEAD\n" + SERVER + "=======\n>>>>>>> other\n"},
        mendable=False,
    ),
    Scene(
        "json_invalid",
        "json_invalid",
        "start",
        files={"server.js": "require('./data.json');\n" + SERVER, "data.json": '{"a": 1,}'},
        says=["data.json"],
        mendable=False,
    ),
    Scene(
        "out_of_heap",
        "node_out_of_memory",
        "start",
        {"scripts": {"start": "node --max-old-space-size=40 server.js"}},
        {
            "server.js": "const kept = [];\nfor (;;) kept.push(Array.from({ length: 1e4 }, (_, i) => ({ i })));\n"
        },
        exit=134,
        mendable=False,
    ),
    Scene(
        "out_of_memory",
        "out_of_memory",
        "start",
        files={"server.js": "const kept = [];\nfor (;;) kept.push(Buffer.alloc(32 << 20, 1));\n"},
        exit=137,
        mendable=False,
    ),
    Scene(
        "node_options_refused",
        "node_options_refused",
        "start",
        config=["NODE_OPTIONS=--stack-size=2000"],
        exit=9,
        says=["--stack-size"],
    ),
)
