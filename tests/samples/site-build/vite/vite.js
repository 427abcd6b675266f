#!/usr/bin/env node
throw new Error('a development server was started');
