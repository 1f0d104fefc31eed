#!/usr/bin/env node
/** `cocoon-desktop …`: runs the command line on the Node that the product ships with. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { roleRuntime } from './role-runtime.mjs'
import { runInPlace } from './run-in-place.mjs'
import { findNode, root, setUp } from './setup.mjs'

const entry = join(root, 'out', 'main', 'cli.js')
if (!existsSync(entry)) setUp()
const args = process.argv.slice(2)
const { nodeOptions, env } = roleRuntime(args[0])
// What the operator has set goes before. The command sends nothing any more when this process, which was asked for it, is gone.
const { status } = await runInPlace(findNode(), [...nodeOptions, entry, ...args], {
  env: { ...env, ...process.env, COCOON_LAUNCHER_PID: String(process.pid) },
})
process.exit(status)
