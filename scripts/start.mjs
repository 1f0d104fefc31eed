/**
 * `npm start`: sets up what is missing, then runs the app: in the desktop window where an Electron binary is at hand or can be
 * downloaded, else in the browser shell. Runs on any Node from 20 on.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runInPlace } from './run-in-place.mjs'
import { findNode, root, setUp } from './setup.mjs'

const electronDir = join(root, 'node_modules', 'electron')
/** How long a refused download is not tried again. */
const refusalHoldsMs = 24 * 3_600_000
/** An Electron that ends with an error sooner than this never showed a window. */
const neverShownMs = 5_000

function electronBinary() {
  const pathFile = join(electronDir, 'path.txt')
  if (!existsSync(pathFile)) return null
  const binary = join(electronDir, 'dist', readFileSync(pathFile, 'utf8'))
  return existsSync(binary) ? binary : null
}

/** Downloads the binary once per lockfile. A refusal is remembered for a day, so that later starts do not wait for it again. */
async function downloadElectron() {
  const refused = join(electronDir, '.download-refused')
  if (existsSync(refused)) {
    if (Date.now() - statSync(refused).mtimeMs < refusalHoldsMs) return
    rmSync(refused)
  }
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
  return binary ? { binary } : { why: 'no Electron binary is installed, and none could be downloaded in the last day' }
}

try {
  console.log('Cocoon Desktop')
  setUp()
} catch (error) {
  console.error(error.message)
  process.exit(1)
}

/** The window has no terminal to ask and no port: it takes its folder and its network from the environment. */
function windowEnvironment(args) {
  try {
    const { values } = parseArgs({ args, options: { 'data-dir': { type: 'string' }, network: { type: 'string' } } })
    return {
      ...(values['data-dir'] && { COCOON_DATA_DIR: resolve(values['data-dir']) }),
      ...(values.network && { COCOON_NETWORK: resolve(values.network) }),
    }
  } catch (error) {
    console.error(`${error.message}\nThe desktop window takes --data-dir and --network; with --browser there are more options.`)
    process.exit(2)
  }
}

async function run() {
  const args = process.argv.slice(2).filter((arg) => arg !== '--browser')
  const { binary, why } = await chooseShell()
  let reason = why
  if (binary) {
    const env = { ...process.env, ...windowEnvironment(args), COCOON_NODE: findNode() }
    const { status, ranMs, asked } = await runInPlace(binary, [root], { env })
    if (status === 0 || asked || ranMs >= neverShownMs) return status
    reason = `Electron ended at once with status ${status}`
  }
  console.log(`Running in the browser: ${reason}.`)
  return (await runInPlace(findNode(), [join(root, 'out', 'main', 'cli.js'), 'serve', '--open', ...args])).status
}

process.exit(await run())
