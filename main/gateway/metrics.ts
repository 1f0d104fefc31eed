/** Upper bounds in seconds; `+Inf` is added. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

type Labels = Readonly<Record<string, string>>

interface Histogram {
  readonly labels: Labels
  readonly buckets: number[]
  sum: number
  count: number
}

/** What one ended request adds. Labels are levels, endpoints and statuses only: no names, no keys, nothing of contents. */
export interface EndedRequest {
  readonly endpoint: string
  /** `none` where the request went nowhere. */
  readonly level: string
  readonly status: number
  readonly durationMs: number
  readonly firstWordMs: number | undefined
  readonly promptTokens: number
  readonly completionTokens: number
  readonly costNano: bigint
}

/** Counters since the start of the app, in the text format of Prometheus (version 0.0.4). */
export class Metrics {
  readonly #counters = new Map<string, Map<string, { readonly labels: Labels; value: bigint }>>()
  readonly #histograms = new Map<string, Map<string, Histogram>>()

  ended(request: EndedRequest): void {
    const { endpoint, level, status, durationMs, firstWordMs, promptTokens, completionTokens, costNano } = request
    this.#add('cocoon_api_requests_total', { endpoint, level, status: String(status) }, 1n)
    this.#add('cocoon_api_tokens_total', { level, kind: 'prompt' }, BigInt(promptTokens))
    this.#add('cocoon_api_tokens_total', { level, kind: 'completion' }, BigInt(completionTokens))
    this.#add('cocoon_api_spent_nanoton_total', { level }, costNano)
    this.#observe('cocoon_api_request_duration_seconds', { endpoint, level }, durationMs / 1000)
    if (firstWordMs !== undefined) this.#observe('cocoon_api_first_word_seconds', { endpoint, level }, firstWordMs / 1000)
  }

  /** @param gauges what is so now, e.g. requests under way */
  text(gauges: Readonly<Record<string, number>>): string {
    const lines: string[] = []
    for (const [name, value] of Object.entries(gauges)) lines.push(...about(name, 'gauge'), `${name} ${value}`)
    for (const [name, series] of this.#counters) {
      lines.push(...about(name, 'counter'))
      for (const { labels, value } of series.values()) lines.push(`${name}${written(labels)} ${value}`)
    }
    for (const [name, series] of this.#histograms) {
      lines.push(...about(name, 'histogram'))
      for (const { labels, buckets, sum, count } of series.values()) {
        for (const [index, bound] of bounds.entries())
          lines.push(`${name}_bucket${written({ ...labels, le: String(bound) })} ${buckets[index] ?? 0}`)
        lines.push(`${name}_bucket${written({ ...labels, le: '+Inf' })} ${count}`)
        lines.push(`${name}_sum${written(labels)} ${sum}`, `${name}_count${written(labels)} ${count}`)
      }
    }
    return `${lines.join('\n')}\n`
  }

  #add(name: string, labels: Labels, value: bigint): void {
    const series = this.#counters.get(name) ?? new Map()
    const key = written(labels)
    const known = series.get(key) ?? { labels, value: 0n }
    known.value += value
    this.#counters.set(name, series.set(key, known))
  }

  #observe(name: string, labels: Labels, value: number): void {
    const series = this.#histograms.get(name) ?? new Map<string, Histogram>()
    const key = written(labels)
    const known = series.get(key) ?? { labels, buckets: bounds.map(() => 0), sum: 0, count: 0 }
    known.sum += value
    known.count++
    for (const [index, bound] of bounds.entries()) if (value <= bound) known.buckets[index] = (known.buckets[index] ?? 0) + 1
    this.#histograms.set(name, series.set(key, known))
  }
}

const helps: Readonly<Record<string, string>> = {
  cocoon_api_running: 'Requests being answered.',
  cocoon_api_keys: 'Keys that are valid.',
  cocoon_api_requests_total: 'Ended requests.',
  cocoon_api_tokens_total: 'Tokens as the engines count them.',
  cocoon_api_spent_nanoton_total: 'Told cost of answers, in nanoton.',
  cocoon_api_request_duration_seconds: 'From the last byte of a request to the end of its answer.',
  cocoon_api_first_word_seconds: 'From the last byte of a request to the first word of its answer.',
}

const about = (name: string, type: string): string[] => [`# HELP ${name} ${helps[name] ?? ''}`, `# TYPE ${name} ${type}`]

/** Label values come from our own lists, so that nothing has to be escaped. */
function written(labels: Labels): string {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(',')}}`
}
