import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'

/** A clone that is set up already: the scripts as they are, and small programs where Electron and the app would lie. */
const folder = mkdtempSync(join(tmpdir(), 'cocoon-start-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(path: string, text: string): string {
  const whole = join(folder, path)
  mkdirSync(dirname(whole), { recursive: true })
  writeFileSync(whole, text)
  return whole
}

function makeClone(electron?: string): void {
  for (const name of ['start.mjs', 'cli.mjs', 'setup.mjs', 'run-in-place.mjs', 'role-runtime.mjs'])
    cpSync(join(import.meta.dirname, name), join(folder, 'scripts', name))
  const nothing = createHash('sha256').digest('hex')
  write('node_modules/.cocoon-installed', nothing)
  write('out/.cocoon-built', nothing)
  write(
    'out/main/cli.js',
    `console.log('app', process.argv.slice(2).join(' '))
     if (process.argv.includes('crash')) process.kill(process.pid, 'SIGKILL')
     if (process.argv.includes('wait')) { process.on('SIGTERM', () => process.exit(0)); console.log('waits'); setInterval(() => {}, 1000) }
     if (process.argv.includes('three')) process.exit(3)`,
  )
  write('out/main/package.json', '{"type":"module"}')
  if (electron === undefined) return
  write('node_modules/electron/path.txt', 'electron')
  chmodSync(write('node_modules/electron/dist/electron', `#!/bin/sh\n${electron}\n`), 0o755)
}

function run(script: string, args: string[], more: { env?: NodeJS.ProcessEnv; stopAfter?: string } = {}) {
  const env = { ...process.env, DISPLAY: ':0', ELECTRON_MIRROR: 'http://127.0.0.1:9', ...more.env }
  const child = spawn(process.execPath, [join(folder, 'scripts', script), ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      output += data
      if (more.stopAfter !== undefined && output.includes(more.stopAfter)) child.kill('SIGTERM')
    })
  return new Promise<{ code: number | null; output: string }>((resolve) => child.on('close', (code) => resolve({ code, output })))
}

describe.skipIf(process.platform === 'win32')('npm start', () => {
  it('opens the window with its folder and network, and refuses what the window does not take', async () => {
    makeClone(`echo "electron $1 $COCOON_DATA_DIR $COCOON_NETWORK"`)
    const { code, output } = await run('start.mjs', ['--data-dir', '/a/b', '--network', '/c.json'])
    expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining(`electron ${folder} /a/b /c.json\n`) })
    const refused = await run('start.mjs', ['--port', '5000'])
    expect(refused).toEqual({ code: 2, output: expect.stringContaining('with --browser there are more options') })
    expect(refused.output).not.toContain('electron ')
  })

  it('goes on in the browser when Electron ends at once, with the same options', async () => {
    makeClone('exit 127')
    const { code, output } = await run('start.mjs', ['--data-dir', '/a'])
    expect(output).toContain('Running in the browser: Electron ended at once with status 127.')
    expect(output).toContain('app serve --open --data-dir /a')
    expect(code).toBe(0)
  })

  it('asks for Electron again a day after it was refused, not sooner', async () => {
    makeClone()
    write('node_modules/electron/install.js', 'process.exit(1)')
    const refused = write('node_modules/electron/.download-refused', '')
    let asked = 0
    const mirror = createServer((_request, answer) => {
      asked++
      answer.end()
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => mirror.once('listening', resolve))
    const env = { ELECTRON_MIRROR: `http://127.0.0.1:${(mirror.address() as AddressInfo).port}` }
    expect((await run('start.mjs', [], { env })).output).toContain('none could be downloaded in the last day')
    expect(asked).toBe(0)
    const dayAgo = Date.now() / 1000 - 25 * 3600
    utimesSync(refused, dayAgo, dayAgo)
    expect((await run('start.mjs', [], { env })).output).toContain('app serve --open')
    expect(asked).toBe(1)
    mirror.close()
  })
})

describe.skipIf(process.platform === 'win32')('the command line', () => {
  it('ends as the program ended: a crash is no success', async () => {
    makeClone()
    expect((await run('cli.mjs', ['status'])).code).toBe(0)
    expect((await run('cli.mjs', ['three'])).code).toBe(3)
    expect((await run('cli.mjs', ['crash'])).code).toBe(137)
    expect(await run('cli.mjs', ['wait'], { stopAfter: 'waits' })).toEqual({ code: 0, output: 'app wait\nwaits\n' })
  })
})
