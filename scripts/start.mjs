/**
 * `npm start`: sets up what is missing, then runs the app: in the desktop window where an Electron binary is at hand or can be
 * downloaded, else in the browser shell. Runs on any Node from 20 on.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findNode, root, setUp } from './setup.mjs'

const electronDir = join(root, 'node_modules', 'electron')

function electronBinary() {
  const pathFile = join(electronDir, 'path.txt')
  if (!existsSync(pathFile)) return null
  const binary = join(electronDir, 'dist', readFileSync(pathFile, 'utf8'))
  return existsSync(binary) ? binary : null
}

/** Downloads the binary once per lockfile. A refusal is remembered, so that later starts do not wait for it again. */
async function downloadElectron() {
  const refused = join(electronDir, '.download-refused')
  if (existsSync(refused)) return
  try {
    await fetch(process.env.ELECTRON_MIRROR ?? 'https://github.com', {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(3000),
    })
  } catch {
    writeFileSync(refused, 'The download host did not answer. Delete this file to try again.\n')
    return
  }
  process.stdout.write('  Electron … ')
  const result = spawnSync(findNode(), [join(electronDir, 'install.js')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  })
  console.log(result.status === 0 ? 'downloaded' : 'could not be downloaded')
  if (result.status !== 0) writeFileSync(refused, 'The download failed. Delete this file to try again.\n')
}

function hasScreen() {
  return process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY)
}

async function chooseShell() {
  if (process.argv.includes('--browser')) return { why: 'asked for with --browser' }
  if (!hasScreen()) return { why: 'this computer has no screen' }
  if (!electronBinary()) await downloadElectron()
  const binary = electronBinary()
  return binary ? { binary } : { why: 'no Electron binary is installed and its download host did not answer' }
}

try {
  console.log('Cocoon Desktop')
  setUp()
} catch (error) {
  console.error(error.message)
  process.exit(1)
}

const { binary, why } = await chooseShell()
const args = process.argv.slice(2).filter((arg) => arg !== '--browser')
if (!binary) console.log(`Running in the browser: ${why}.`)
const child = binary
  ? spawn(binary, [root, ...args], { stdio: 'inherit', env: { ...process.env, COCOON_NODE: findNode() } })
  : spawn(findNode(), [join(root, 'out', 'main', 'cli.js'), 'serve', '--open', ...args], { stdio: 'inherit' })

// Ctrl-C reaches the child by itself (same terminal); a signal sent to this process alone must be passed on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => child.kill(signal === 'SIGINT' ? 'SIGTERM' : signal))
child.on('exit', (code, signal) => process.exit(signal ? 0 : (code ?? 1)))
