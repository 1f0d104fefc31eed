import { pause } from '../../base/pause.ts'

/** One request as seen from outside. */
export interface Asked {
  /** Adjusted tokens that its answer costs, as this side counts them itself. */
  readonly tokens: bigint
  readonly startMs: number
  readonly endMs: number
  /** `whole`: answered to the last byte; `refused`: an error in words; `cut`: the connection ended. */
  readonly outcome: 'whole' | 'refused' | 'cut'
}

export interface LoadOptions {
  readonly url: string
  readonly model: string
  readonly inFlight: number
  readonly random: () => number
  /** Price factors of the network: prompt and completion, in whole multiples. */
  readonly multipliers: { readonly prompt: number; readonly completion: number }
}

/** Keeps requests in flight through a client's HTTP address, as a program of a user would, and writes down what became of each. */
export class Load {
  readonly asked: Asked[] = []
  /** What was wrong with an answer that came whole. */
  readonly wrong: string[] = []
  readonly refusals = new Map<string, number>()
  readonly #o: LoadOptions
  readonly #lines: Promise<void>[]
  #paused = false
  #ended = false
  #running = 0

  constructor(options: LoadOptions) {
    this.#o = options
    this.#lines = Array.from({ length: options.inFlight }, () => this.#line())
  }

  get running(): number {
    return this.#running
  }

  /** Resolves when nothing is in flight; nothing new is asked until `resume`. */
  async pause(): Promise<void> {
    this.#paused = true
    while (this.#running > 0) await pause(5)
  }

  resume(): void {
    this.#paused = false
  }

  async end(): Promise<void> {
    this.#ended = true
    await Promise.all(this.#lines)
  }

  /** Resolves when a request that was sent after `sinceMs` was answered. */
  async answeredSince(sinceMs: number, limitMs: number): Promise<void> {
    const until = Date.now() + limitMs
    while (!this.#lately(sinceMs)) {
      if (Date.now() > until) throw new Error(`no request was answered for ${limitMs} ms: ${[...this.refusals].join('; ')}`)
      await pause(20)
    }
  }

  #lately(sinceMs: number): boolean {
    for (let at = this.asked.length - 1; at >= 0; at--) {
      const one = this.asked[at]
      if (one === undefined || one.endMs < sinceMs) return false
      if (one.outcome === 'whole' && one.startMs >= sinceMs) return true
    }
    return false
  }

  async #line(): Promise<void> {
    while (!this.#ended) {
      if (this.#paused) {
        await pause(10)
        continue
      }
      this.#running++
      const outcome = await this.#ask().finally(() => this.#running--)
      // A program that is refused waits before it asks again.
      if (outcome !== 'whole') await pause(150)
    }
  }

  async #ask(): Promise<Asked['outcome']> {
    const { random, multipliers, model, url } = this.#o
    const prompt = 1 + Math.floor(random() * 20)
    const completion = 3 + Math.floor(random() * 4)
    const tokens = BigInt(prompt * multipliers.prompt + completion * multipliers.completion)
    const stream = random() < 0.5
    const content = `count ${prompt} ${completion} wait ${Math.floor(random() * 80)}`
    const startMs = Date.now()
    const outcome = await this.#fetch(
      url,
      JSON.stringify({
        model,
        messages: [{ role: 'user', content }],
        max_tokens: 8,
        max_coefficient: 1000,
        timeout: 20,
        stream,
      }),
      stream,
      { prompt, completion },
    )
    this.asked.push({ tokens, startMs, endMs: Date.now(), outcome })
    return outcome
  }

  async #fetch(
    url: string,
    body: string,
    stream: boolean,
    count: { prompt: number; completion: number },
  ): Promise<Asked['outcome']> {
    try {
      const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body })
      const text = await response.text()
      if (response.status !== 200) {
        const error = `${response.status} ${text.replaceAll(/\d+/g, 'n').slice(0, 120)}`
        this.refusals.set(error, (this.refusals.get(error) ?? 0) + 1)
        return 'refused'
      }
      this.#check(text, stream, count)
      return 'whole'
    } catch {
      return 'cut'
    }
  }

  #check(text: string, stream: boolean, count: { prompt: number; completion: number }): void {
    if (stream && !text.endsWith('data: [DONE]\n\n')) this.wrong.push(`a stream without its end: ${text.slice(-80)}`)
    const usage = /"usage":\{[^{}]*\}/.exec(text)?.[0] ?? ''
    if (!usage.includes(`"prompt_tokens":${count.prompt}`) || !usage.includes(`"completion_tokens":${count.completion}`))
      this.wrong.push(`another usage than ${JSON.stringify(count)}: ${usage}`)
  }
}
