#!/usr/bin/env node
/** `cocoon-desktop …`: runs the command line on the Node that the product ships with. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { roleRuntime } from './role-runtime.mjs'
import { findNode, root, setUp } from './setup.mjs'

const entry = join(root, 'out', 'main', 'cli.js')
if (!existsSync(entry)) setUp()
const args = process.argv.slice(2)
const { nodeOptions, env } = roleRuntime(args[0])
// What the operator has set goes before.
const child = spawn(findNode(), [...nodeOptions, entry, ...args], { stdio: 'inherit', env: { ...env, ...process.env } })
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => child.kill(signal === 'SIGINT' ? 'SIGTERM' : signal))
child.on('exit', (code, signal) => process.exit(signal ? 0 : (code ?? 1)))
