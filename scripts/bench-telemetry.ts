/**
 * `npm run bench:telemetry [-- seconds]`: processor time that live telemetry takes at one reading a second: of this computer as it is, and with a
 * tool that writes lines for four cards as `nvidia-smi` would (its own processor time is the driver's and not in the figure).
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { joinWatches } from '../main/hardware/gpu-reading.ts'
import { watchNvidia } from '../main/hardware/nvidia-watch.ts'
import { watchSysfs } from '../main/hardware/sysfs-watch.ts'
import { openGpuWatch, readTelemetry, systemTelemetry, type TelemetrySources } from '../main/hardware/telemetry.ts'

const seconds = Number(process.argv[2] ?? 20)
const folder = mkdtempSync(join(tmpdir(), 'cocoon-telemetry-'))
const tool = join(folder, 'nvidia-smi')
const line = (index: number) =>
  `${index}, NVIDIA GeForce RTX 4080 SUPER, 00000000:0${index}:00.0, 97, 16376, 9000, 71, 318.20, 320.00, 2640, 0x0000000000000004`
const rows = [0, 1, 2, 3].map((index) => `echo " $(date +%T) ${index} 42 C 88 60 - - - - 8100 0 node"`).join('; ')
const head = "echo '#Time gpu pid type sm mem enc dec jpg ofa fb ccpm command'"
const cards = [0, 1, 2, 3].map((index) => `echo '${line(index)}'`).join('; ')
writeFileSync(
  tool,
  `#!/bin/bash\nif [ "$1" = pmon ]; then ${head}; while :; do ${rows}; sleep 1; done; fi\nwhile :; do ${cards}; sleep 1; done\n`,
)
chmodSync(tool, 0o755)

async function measure(name: string, sources: TelemetrySources): Promise<{ readonly share: number; readonly gpus: number }> {
  const control = new AbortController()
  let readings = 0
  let gpus = Number.POSITIVE_INFINITY
  let begun = process.cpuUsage()
  let startedMs = performance.now()
  for await (const value of readTelemetry(control.signal, sources)) {
    // The first readings compile the code and start the tools.
    if (++readings === 3) [begun, startedMs] = [process.cpuUsage(), performance.now()]
    if (readings >= 3) gpus = Math.min(gpus, value.gpus.length)
    if (readings === seconds + 3) control.abort()
  }
  const { user, system } = process.cpuUsage(begun)
  const share = (user + system) / 10 / (performance.now() - startedMs)
  console.log(`${name}: ${gpus} cards, ${share.toFixed(3)} % of one core over ${seconds} readings`)
  return { share, gpus }
}

const ours = () => new Set([process.pid])
const here = await measure(
  'this computer',
  systemTelemetry(() => openGpuWatch(ours)),
)
const four = await measure(
  'four cards of a tool',
  systemTelemetry(() => joinWatches([watchNvidia({ command: tool, ourPids: ours }), watchSysfs({ ourPids: ours })])),
)
rmSync(folder, { recursive: true })
if (four.gpus < 4) throw new Error(`Only ${four.gpus} of the four cards were seen all the time.`)
process.exitCode = Math.max(here.share, four.share) < 0.5 ? 0 : 1
