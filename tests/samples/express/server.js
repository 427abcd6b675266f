"use strict";

const os = require("node:os");
const express = require("express");
const morgan = require("morgan");

const greeting = "Hello from SmartPlatform";

const app = express();
app.set("trust proxy", true);
app.use(morgan("tiny"));

app.get("/", (request, response) => {
  response.type("text/plain").send(`${process.env.GREETING || greeting}\n`);
});

app.get("/healthz", (request, response) => response.json({ ok: true }));

app.get("/whoami", (request, response) => {
  response.json({
    hostname: os.hostname(),
    instance: process.env.DYNO,
    release: process.env.SMARTPLATFORM_RELEASE,
    pid: process.pid,
    uid: process.getuid(),
    node: process.version,
    ip: request.ip,
  });
});

app.listen(process.env.PORT || 3000, () => console.log("listening"));
