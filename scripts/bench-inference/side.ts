import { readFileSync } from 'node:fs'
import { median } from '../median.ts'

/** One answer as it was seen, times in ms since the run began. */
export interface Answer {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
  readonly firstMs: number
  readonly lastMs: number
  readonly text: string
}

export interface Setup {
  readonly modelPath: string
  readonly threads: number
  readonly sequences: number
  readonly contextTokens: number
}

/** One way to run the model. All sides run the same file with the same threads, context and number of places, and sample greedily. */
export interface Side {
  readonly name: string
  /** Of the process that computes. */
  readonly pid: number
  /** All prompts at once; resolves when the last answer has ended. Nothing of earlier runs is reused. */
  run(prompts: readonly string[], maxTokens: number): Promise<readonly Answer[]>
  stop(): Promise<void>
}

/** Figures of one run with some answers at a time. */
export interface RunFigures {
  /** Prompt tokens of all, for each second until the last first token. */
  readonly promptPerS: number
  /** Tokens after the first of each answer, for each second between the first and the last of all. */
  readonly decodePerS: number
  /** All tokens sampled, for each second of the whole run. */
  readonly wholePerS: number
  /** Median. */
  readonly firstMs: number
  /** Processor time of the process that computes, for each token read or sampled: what counts when others use the machine too. */
  readonly cpuMsPerToken: number
}

export function figuresOf(answers: readonly Answer[], cpuMs: number): RunFigures {
  const sum = (pick: (answer: Answer) => number): number => answers.reduce((total, answer) => total + pick(answer), 0)
  const last = Math.max(...answers.map(({ lastMs }) => lastMs))
  const firsts = answers.map(({ firstMs }) => firstMs)
  return {
    promptPerS: (sum(({ promptTokens, cachedTokens }) => promptTokens - cachedTokens) / Math.max(...firsts)) * 1000,
    decodePerS: (sum(({ completionTokens }) => completionTokens - 1) / (last - Math.min(...firsts))) * 1000,
    wholePerS: (sum(({ completionTokens }) => completionTokens) / last) * 1000,
    firstMs: median(firsts),
    cpuMsPerToken:
      cpuMs / sum(({ promptTokens, cachedTokens, completionTokens }) => promptTokens - cachedTokens + completionTokens),
  }
}

/** Processor time of a process so far; NaN where the system does not tell it this way. */
export function cpuMsOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [, , , , , , , , , , , user = '', system = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(user) + Number(system)) * 10
  } catch {
    return Number.NaN
  }
}
