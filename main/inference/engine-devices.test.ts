import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { noCapabilities } from './capabilities.ts'
import { LocalEngine } from './local-engine.ts'

/** What an engine process with cards would say once it has loaded a model: written by hand, for no card was at hand. */
function entry(backend: string, devices: readonly string[]): string {
  const loaded = { t: 'loaded', contextTokens: 64, backend, devices, threads: 1, capabilities: noCapabilities, notices: [] }
  const path = join(mkdtempSync(join(tmpdir(), 'cocoon-entry-')), 'entry.mjs')
  writeFileSync(path, `process.on('message', () => process.send(${JSON.stringify(loaded)}))\n`)
  return path
}

it.each([
  ['vulkan', ['AMD Radeon RX 7900 XTX (RADV NAVI31)'], { devices: ['AMD Radeon RX 7900 XTX (RADV NAVI31)'] }],
  ['cpu', [], {}],
])('the state of the engine names the cards that its library found: %s', async (backend, devices, told) => {
  const engine = new LocalEngine({ entryPath: entry(backend, devices), background: false })
  try {
    await engine.load({ name: 'm', path: 'm.gguf' })
    expect(engine.state.value).toEqual({ status: 'ready', model: 'm', contextTokens: 64, backend, ...told })
  } finally {
    await engine.dispose()
  }
})
