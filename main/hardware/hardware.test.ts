import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hardwareFacts, telemetry } from '../../preload/api/system.ts'
import { silentLogger } from '../base/logger.ts'
import { cpuPercent, parseProcStat } from './cpu-load.ts'
import { readFacts, systemSources } from './facts.ts'
import { parseNvidiaSmi, queryNvidia } from './nvidia-smi.ts'
import { detectTee } from './tee.ts'
import { cpuTemperatureC, readTelemetry, systemTelemetry } from './telemetry.ts'

/** Written by hand after the documented columns of nvidia-smi: one idle card, and one that tells little. */
const table = `NVIDIA GeForce RTX 4080 SUPER, 16376, 0, 555.42, 00000000:01:00.0, 0, 31, 0.00
NVIDIA T400, 2048, 12, 555.42, 00000000:02:00.0, [N/A], 40, [Not Supported]
`

/** A program on disk that answers as nvidia-smi would. */
function stub(script: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'cocoon-smi-')), 'nvidia-smi')
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  return path
}

describe('nvidia-smi', () => {
  it('keeps zeros as zeros and unknown as unknown', () => {
    const [busy, quiet] = parseNvidiaSmi(table)
    expect(busy).toMatchObject({ memoryUsedBytes: 0, utilisationPercent: 0, powerW: 0, memoryBytes: 16_376 * 2 ** 20 })
    expect(quiet).toMatchObject({ utilisationPercent: null, powerW: null, temperatureC: 40 })
  })

  it.each(['No devices were found', 'a,b', `${'x,'.repeat(7)}y`, 'Card, -5, 0, 1, 2, 3, 4, 5'])('refuses %j', (text) => {
    expect(() => parseNvidiaSmi(text)).toThrow(/form that is not known/)
  })

  it.runIf(process.platform !== 'win32')('runs the tool, and takes its absence or failure for no card', async () => {
    expect(await queryNvidia({ command: stub(`printf '%s' '${table}'`) })).toHaveLength(2)
    expect(await queryNvidia({ command: stub('exit 9') })).toEqual([])
    expect(await queryNvidia({ command: '/nonexistent/nvidia-smi' })).toEqual([])
    const started = Date.now()
    expect(await queryNvidia({ command: stub('exec sleep 100'), timeoutMs: 100 })).toEqual([])
    expect(Date.now() - started).toBeLessThan(50_000)
  })
})

describe('facts', () => {
  it('tell what the operating system tells of this computer', async () => {
    const facts = hardwareFacts.parse(await readFacts(silentLogger))
    expect(facts.cpu.threads).toBe(cpus().length)
    expect(facts.memoryBytes).toBe(totalmem())
    expect(facts.os.platform).toBe(process.platform)
  })

  it('list NVIDIA cards by their driver once, others by the system, and no virtual adapters', async () => {
    const controller = (vendor: string, model: string) => ({ vendor, model, bus: '', vram: 512, vramDynamic: false })
    const facts = await readFacts(silentLogger, {
      ...systemSources,
      nvidia: async () => parseNvidiaSmi(table),
      gpuConfidential: async () => ({ state: 'off', ready: false, processor: null, capable: true }),
      backends: () => ({ platform: 'linux', arch: 'x64', cudaDriver: true, vulkanMakers: new Set(['intel']) }),
      graphics: async () => ({
        controllers: [
          controller('NVIDIA Corporation', 'RTX 4080'),
          controller('Intel', 'UHD 770'),
          controller('VMware', 'SVGA II'),
        ],
        displays: [],
      }),
    })
    expect(hardwareFacts.parse(facts).gpuConfidential).toMatchObject({ state: 'off', capable: true })
    expect(facts.gpus.map(({ name, vendor, backends }) => [name, vendor, backends?.cuda, backends?.vulkan])).toEqual([
      ['NVIDIA GeForce RTX 4080 SUPER', 'nvidia', true, null],
      ['NVIDIA T400', 'nvidia', true, null],
      ['UHD 770', 'intel', false, true],
    ])
  })

  it('stay whole when a source fails', async () => {
    const fail = () => Promise.reject(new Error('no such tool'))
    const facts = await readFacts(silentLogger, { ...systemSources, nvidia: fail, graphics: fail })
    expect(facts.gpus).toEqual([])
    expect(facts.gpuConfidential).toBeUndefined()
    expect(facts.cpu.threads).toBeGreaterThan(0)
  })

  it('claim a confidential VM only where the guest device is', () => {
    const root = mkdtempSync(join(tmpdir(), 'cocoon-tee-'))
    mkdirSync(join(root, 'dev'))
    expect(detectTee(root)).toMatchObject({ kind: 'none', canQuote: false })
    writeFileSync(join(root, 'dev/sev-guest'), '')
    expect(detectTee(root)).toMatchObject({ kind: 'sev-snp-guest', canQuote: false })
    writeFileSync(join(root, 'dev/tdx_guest'), '')
    expect(detectTee(root)).toMatchObject({
      kind: 'tdx-guest',
      canQuote: false,
      sentence: expect.stringContaining('cannot prove'),
    })
    mkdirSync(join(root, 'sys/kernel/config/tsm/report'), { recursive: true })
    expect(detectTee(root)).toMatchObject({ kind: 'tdx-guest', canQuote: true, sentence: expect.stringContaining('can prove') })
  })
})

describe('telemetry', () => {
  it('reads /proc/stat as the kernel documents it', () => {
    const before = parseProcStat('cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1 1\n')
    const now = parseProcStat('cpu  150 0 150 750 150 0 0 0 0 0\n')
    expect(before && now && cpuPercent(before, now)).toBe(50)
    expect(before && cpuPercent(before, before)).toBeNull()
    expect(parseProcStat('intr 5')).toBeNull()
  })

  it('finds the processor sensor among others', () => {
    const root = mkdtempSync(join(tmpdir(), 'cocoon-hwmon-'))
    for (const [chip, name, value] of [
      ['hwmon0', 'nvme', '80000'],
      ['hwmon1', 'k10temp', '45500'],
    ] as const) {
      mkdirSync(join(root, chip))
      writeFileSync(join(root, chip, 'name'), `${name}\n`)
      writeFileSync(join(root, chip, 'temp1_input'), `${value}\n`)
    }
    expect(cpuTemperatureC(root)).toBe(45.5)
    expect(cpuTemperatureC(join(root, 'none'))).toBeNull()
  })

  it('gives real values of this machine and ends when nobody listens', async () => {
    const control = new AbortController()
    const seen: unknown[] = []
    for await (const value of readTelemetry(control.signal, systemTelemetry(), 20)) {
      seen.push(telemetry.parse(value))
      if (seen.length === 3) control.abort()
    }
    expect(seen).toHaveLength(3)
  })
})
