import { execFile } from 'node:child_process'

/** Confidential computing of the NVIDIA GPUs as their driver tells it. Nothing of it is proven to others: that needs attestation of the GPU. */
export interface GpuConfidential {
  /** On: memory of the GPU is out of the host's reach. `devtools` is a mode for developers that protects nothing. */
  readonly state: 'on' | 'off' | 'devtools' | 'unknown'
  /** Whether work may be sent to the GPUs. */
  readonly ready: boolean
  /** What the processor offers for it, as the driver writes it; null for nothing. */
  readonly processor: string | null
  /** Whether the GPUs could do it. */
  readonly capable: boolean
}

const nothing: GpuConfidential = { state: 'unknown', ready: false, processor: null, capable: false }

/** Reads the answer of `nvidia-smi conf-compute -q`: lines of a label and a value. What is missing is not claimed. */
export function parseConfCompute(text: string): GpuConfidential {
  const values = new Map<string, string>()
  for (const line of text.slice(0, 100_000).split('\n')) {
    const [label = '', ...rest] = line.split(':')
    // A second card that says something else must not be hidden by the first.
    const value = rest.join(':').trim()
    const known = values.get(label.trim())
    values.set(label.trim(), known === undefined || known === value ? value : 'mixed')
  }
  const state = values.get('CC State')?.toLowerCase()
  const isDevtools = state === 'devtools' || (values.get('DevTools Mode') ?? 'OFF').toUpperCase() !== 'OFF'
  const processor = values.get('CPU CC Capabilities') ?? ''
  return {
    state: state === 'on' ? (isDevtools ? 'devtools' : 'on') : isDevtools ? 'devtools' : state === 'off' ? 'off' : 'unknown',
    ready: values.get('CC GPUs Ready State')?.toLowerCase() === 'ready',
    processor: processor === '' || /^(none|n\/a|not)/i.test(processor) ? null : processor,
    capable: values.get('GPU CC Capabilities')?.toLowerCase() === 'cc capable',
  }
}

/** Asks the NVIDIA driver without blocking. No tool, no driver, or an old one that does not know the question: nothing is claimed. */
export function queryGpuConfidential({
  command = 'nvidia-smi',
  timeoutMs = 3000,
}: {
  readonly command?: string
  readonly timeoutMs?: number
} = {}): Promise<GpuConfidential> {
  return new Promise((resolve) => {
    execFile(command, ['conf-compute', '-q'], { timeout: timeoutMs, windowsHide: true, maxBuffer: 1 << 20 }, (error, stdout) =>
      resolve(error ? nothing : parseConfCompute(stdout)),
    )
  })
}
