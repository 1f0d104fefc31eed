/**
 * `npm run bench:telemetry [-- seconds]`: processor time that live telemetry takes at one reading a second: of this computer as it is, with a
 * tool that writes lines for four cards as `nvidia-smi` would (its own processor time is the driver's and not in the figure), and of a card whose programs
 * are looked for among 400 processes with 30 open files each: in a tree of files where twelve of them use the card, and among 400 real processes (Linux).
 */
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type GpuWatch, joinWatches } from '../main/hardware/gpu-reading.ts'
import { watchNvidia } from '../main/hardware/nvidia-watch.ts'
import { watchSysfs } from '../main/hardware/sysfs-watch.ts'
import { openGpuWatch, readTelemetry, systemTelemetry, type TelemetrySources } from '../main/hardware/telemetry.ts'
import { type FakeProc, fakeProc, fdinfo } from '../main/hardware/testing/fake-proc.ts'

const seconds = Number(process.argv[2] ?? 20)
const warmUp = 15
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
    if (++readings === warmUp) [begun, startedMs] = [process.cpuUsage(), performance.now()]
    if (readings >= warmUp) gpus = Math.min(gpus, value.gpus.length)
    if (readings === seconds + warmUp) control.abort()
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

const processes = 400
const users = 12
const pciId = '0000:03:00.0'
function card(): FakeProc {
  const proc = fakeProc()
  proc.write('sys/class/drm/card0/device/uevent', `DRIVER=amdgpu\nPCI_SLOT_NAME=${pciId}\n`)
  return proc
}
/** Asked for programs twice a second too, as the limits do. */
function asked(root: string): GpuWatch {
  const watch = watchSysfs({ root, ourPids: ours })
  const timer = setInterval(() => watch.processes(), 500)
  return { ...watch, close: () => clearInterval(timer) }
}

const tree = card()
const engines = ['gfx', 'compute', 'dma', 'dec', 'enc', 'enc_1', 'jpeg'].map((name) => `drm-engine-${name}:\t123456789 ns`)
const memory = ['vram', 'gtt', 'cpu'].flatMap((name) =>
  ['total', 'shared', 'resident', 'purgeable', 'active', 'memory'].map((kind) => `drm-${kind}-${name}:\t1024 KiB`),
)
for (let pid = 1000; pid < 1000 + processes; pid++) {
  const uses = (at: number): boolean => pid < 1000 + users && at < 4
  const info = (at: number) => fdinfo('amdgpu', pciId, pid * 10 + at, [...memory, ...engines])
  const file = (at: number) => (uses(at) ? (['/dev/dri/renderD128', info(at)] as const) : (['/dev/null'] as const))
  tree.program(pid, `p${pid}`, Object.fromEntries(Array.from({ length: 30 }, (_, at) => [at, file(at)])))
}
const programs = await measure(
  `${processes} processes, written`,
  systemTelemetry(() => asked(tree.root)),
)
rmSync(tree.root, { recursive: true })

const shares = [here.share, four.share, programs.share]
if (process.platform === 'linux') {
  const real = card()
  rmSync(join(real.root, 'proc'), { recursive: true })
  symlinkSync('/proc', join(real.root, 'proc'))
  writeFileSync(join(real.root, 'renderD128'), '')
  const open = 'for i in {10..35}; do eval "exec $i</dev/null"; done'
  const others = `for i in {1..${processes - users}}; do sleep 3600 & done`
  const device = `for i in {5..8}; do eval "exec $i<${real.root}/renderD128"; done`
  const script = `${open}; ${others}; ${device}; for i in {1..${users}}; do sleep 3600 & done; wait`
  const crowd = spawn('bash', ['-c', script], { detached: true, stdio: 'ignore' })
  const value = await measure(
    `${processes} processes, real`,
    systemTelemetry(() => asked(real.root)),
  )
  if (crowd.pid !== undefined) process.kill(-crowd.pid, 'SIGKILL')
  rmSync(real.root, { recursive: true })
  shares.push(value.share)
}
rmSync(folder, { recursive: true })
if (four.gpus < 4) throw new Error(`Only ${four.gpus} of the four cards were seen all the time.`)
process.exitCode = Math.max(...shares) < 0.5 ? 0 : 1
