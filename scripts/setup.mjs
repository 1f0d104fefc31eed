/**
 * Makes a fresh clone ready: dependencies by lockfile, contracts, bundles. Runs on any Node from 20 on, without dependencies.
 * Each step is skipped when a stamp says that its inputs have not changed since it last succeeded.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(root, 'node_modules')
const isWindows = process.platform === 'win32'

/** Hash over the contents of files and folders, given relative to the project. */
function fingerprint(paths) {
  const hash = createHash('sha256')
  const visit = (path) => {
    if (!existsSync(path)) return
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) if (name !== 'build' && name !== 'vectors') visit(join(path, name))
    } else if (!/\.test\.tsx?$/.test(path)) {
      hash.update(path.slice(root.length)).update('\0').update(readFileSync(path)).update('\0')
    }
  }
  for (const path of paths) visit(join(root, path))
  return hash.digest('hex')
}

function upToDate(stamp, value) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === value
}

function run(title, command, args, options = {}) {
  const started = Date.now()
  process.stdout.write(`  ${title} … `)
  // npm is a script there, which only a shell runs; paths with spaces would not survive one.
  const shell = isWindows && command === 'npm'
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', shell, maxBuffer: 1 << 26, ...options })
  if (result.status !== 0) {
    process.stdout.write('failed\n')
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}\n`)
    throw new Error(`${title} failed. What it printed is above.`)
  }
  process.stdout.write(`${((Date.now() - started) / 1000).toFixed(1)} s\n`)
}

/** The Node 24 that the product runs on: the pinned package of this platform, else a system Node that is new enough. */
export function findNode() {
  const packaged = join(
    modules,
    `node-${isWindows ? 'win' : process.platform}-${process.arch}`,
    'bin',
    isWindows ? 'node.exe' : 'node',
  )
  if (existsSync(packaged)) return packaged
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  throw new Error(`No Node 24 package exists for ${process.platform}-${process.arch}. Install Node 24 or newer and start again.`)
}

function installDependencies() {
  const stamp = join(modules, '.cocoon-installed')
  const wanted = fingerprint(['package-lock.json', 'package.json', '.npmrc'])
  if (upToDate(stamp, wanted)) return
  // npm would follow the link and empty what lies behind it, which another copy of this project may be using.
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink())
    throw new Error(
      'node_modules is a link to another folder, which an installation would empty. Remove the link, then start again.',
    )
  run('Dependencies by lockfile, about 1.4 GB; this can take some minutes', 'npm', [
    'ci',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ])
  writeFileSync(stamp, wanted)
}

function build() {
  const stamp = join(root, 'out', '.cocoon-built')
  const wanted = fingerprint([
    'package-lock.json',
    'electron.vite.config.ts',
    'scripts/build-contracts.ts',
    'contracts',
    'main',
    'preload',
    'renderer',
  ])
  if (upToDate(stamp, wanted)) return
  const node = findNode()
  run('Smart contracts', node, [join(root, 'scripts', 'build-contracts.ts')])
  run('Application', node, [join(modules, 'electron-vite', 'bin', 'electron-vite.js'), 'build', '--logLevel', 'warn'])
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
}

/** Brings everything up to date; prints one line for each step that had work to do. */
export function setUp({ withBuild = true } = {}) {
  installDependencies()
  if (withBuild) build()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    setUp()
    console.log('Ready.')
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
}
