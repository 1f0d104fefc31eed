/** What of a `.cpuprofile` of V8 is read here. Times in microseconds. */
export interface Profile {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
    readonly children?: readonly number[]
  }>
  readonly startTime: number
  readonly endTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

type Kind = 'own' | 'package' | 'node' | 'native'

/** A function as called from one place, with everything that it called. */
export interface Flame {
  readonly name: string
  readonly kind: Kind
  us: number
  readonly calls: Map<string, Flame>
}

/** The calls of a profile, but for idle time. @param window ms that are drawn, and ms behind them that are not */
export function flameOf(profile: Profile, window: { readonly lastMs: number; readonly endMs: number }): Flame {
  const parents = new Map<number, number>()
  for (const { id, children = [] } of profile.nodes) for (const child of children) parents.set(child, id)
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const root: Flame = { name: 'all', kind: 'native', us: 0, calls: new Map() }
  const end = profile.endTime - window.endMs * 1000
  let at = profile.startTime
  profile.samples.forEach((sample, index) => {
    const us = profile.timeDeltas[index] ?? 0
    at += us
    if (at > end || at < end - window.lastMs * 1000) return
    const frames: { name: string; kind: Kind }[] = []
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const callFrame = byId.get(id)?.callFrame
      if (callFrame === undefined || callFrame.functionName === '(root)') continue
      frames.push(frameOf(callFrame))
    }
    if (frames[0]?.name === '(idle)') return
    root.us += us
    let place = root
    for (const frame of frames.reverse()) {
      // Inside of Node one module calls itself many times over: the first call stands for them.
      if (frame.kind === 'node' && place.kind === 'node' && moduleOf(frame.name) === moduleOf(place.name)) continue
      const known: Flame = place.calls.get(frame.name) ?? { ...frame, us: 0, calls: new Map() }
      place.calls.set(frame.name, known)
      known.us += us
      place = known
    }
  })
  return root
}

const moduleOf = (name: string): string => name.slice(name.indexOf(' ') + 1)

function frameOf({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): { name: string; kind: Kind } {
  if (url === '') return { name: functionName || '(native)', kind: 'native' }
  if (url.startsWith('node:'))
    return { name: `${functionName || '(anonymous)'} ${url.replace('node:internal/', 'node:')}`, kind: 'node' }
  const packaged = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
  if (packaged !== undefined) return { name: `${functionName || '(anonymous)'} ${packaged}`, kind: 'package' }
  // From the room on: `protocol/wire/outbox.ts`, wherever the project lies.
  const file = /.*\/main\/((?:[\w-]+\/)*[\w.-]+)$/.exec(url)?.[1] ?? url.slice(url.lastIndexOf('/') + 1)
  return { name: functionName === '' ? `(anonymous:${lineNumber + 1}) ${file}` : `${functionName} ${file}`, kind: 'own' }
}

const fills: Readonly<Record<Kind, readonly string[]>> = {
  own: ['#e8743b', '#ec8a52', '#e2632c'],
  package: ['#c7a03c', '#d2ad4c', '#bb9430'],
  node: ['#6fa8a0', '#7fb4ac', '#609b92'],
  native: ['#9a93b8', '#a79fc2', '#8c85ac'],
}
const [width, rowHeight, letterWidth, headHeight] = [1200, 17, 6.2, 58]
/** Narrower frames are left out, px. */
const leastWidth = 1.2

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const safe = (text: string): string => text.replaceAll(/[&<>"]/g, (letter) => escapes[letter] ?? letter)

/** The flame graph as a file for browsers; pointing at a frame shows its whole name and share. */
export function svgOf(flame: Flame, title: string): string {
  const total = flame.us || 1
  const frames: string[] = []
  let deepest = 0
  const draw = (one: Flame, x: number, depth: number): void => {
    const wide = (one.us / total) * width
    if (wide < leastWidth) return
    deepest = Math.max(deepest, depth)
    const share = `${((100 * one.us) / total).toFixed(1)} %`
    const letters = Math.floor((wide - 6) / letterWidth)
    const label = letters < 3 ? '' : one.name.length <= letters ? one.name : `${one.name.slice(0, letters - 1)}…`
    const fill = fills[one.kind][hashOf(one.name) % 3] ?? ''
    const text = label === '' ? '' : `<text x="${(x + 3).toFixed(1)}" y="{${depth}t}">${safe(label)}</text>`
    frames.push(
      `<g><title>${safe(one.name)}: ${share}</title><rect x="${x.toFixed(1)}" y="{${depth}r}" width="${(wide - 0.4).toFixed(1)}" height="${rowHeight - 1}" fill="${fill}"/>${text}</g>`,
    )
    let next = x
    // By name, so that the order does not depend on which sample came first.
    for (const called of [...one.calls.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      draw(called, next, depth + 1)
      next += (called.us / total) * width
    }
  }
  draw(flame, 0, 0)
  const height = headHeight + (deepest + 1) * rowHeight + 8
  const top = (depth: number): number => height - 8 - (depth + 1) * rowHeight
  const placed = frames.join('\n').replaceAll(/"\{(\d+)([rt])\}"/g, (_, depth: string, what: string) => {
    return `"${top(Number(depth)) + (what === 't' ? 12 : 0)}"`
  })
  const legend = (
    [
      ['own', "the project's code"],
      ['node', "Node's library"],
      ['package', 'packages'],
      ['native', 'system calls, garbage collection, V8'],
    ] as const
  )
    .map(
      ([kind, words], at) =>
        `<rect x="${8 + at * 190}" y="34" width="12" height="12" fill="${fills[kind][0]}"/><text x="${25 + at * 190}" y="44">${safe(words)}</text>`,
    )
    .join('')
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${safe(title)}">
<style>text{font:10.5px ui-monospace,Menlo,Consolas,monospace;fill:#1b1b1f}g:hover rect{stroke:#1b1b1f}</style>
<rect width="${width}" height="${height}" fill="#fbfaf8"/>
<text x="8" y="22" style="font-size:14px;font-weight:600">${safe(title)}</text>${legend}
${placed}
</svg>
`
}

function hashOf(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (hash * 31 + text.charCodeAt(at)) % 65_521
  return hash
}
