import { useMemo } from 'react'
import type { LevelState } from '../../../preload/api/chat.ts'
import type { ApiError } from '../../../preload/api/contract.ts'
import type { Words } from '../../../preload/api/scalars.ts'
import type { ModelState } from '../../../preload/api/system.ts'
import { useFormat } from '../format/use-format.ts'
import { sayOfCore } from './core-words.ts'
import { useTexts } from './texts.tsx'

/** A sentence of the core in the reader's language. */
export type CoreSay = (text: string, words?: Words) => string

interface CoreTexts {
  readonly said: CoreSay
  readonly saidError: (error: ApiError) => string
  /** Undefined when the core gives no reason. */
  readonly saidReason: (state: LevelState | undefined) => string | undefined
  /** Undefined when the model has no problem. */
  readonly saidProblem: (model: ModelState | undefined) => string | undefined
}

export function useCoreWords(): CoreTexts {
  const { language } = useTexts()
  const format = useFormat()
  return useMemo(() => {
    const said: CoreSay = (text, words) => sayOfCore(text, words, language, format)
    return {
      said,
      saidError: ({ code, message, words }) => said(message, words ?? { code }),
      saidReason: (state) => state?.reason && said(state.reason, state.reasonWords),
      saidProblem: (model) => {
        if (!model?.problem || !model.problemWords) return model?.problem && said(model.problem)
        const parts = model.problemWords.map((words) => said('', words))
        return parts.includes('') ? model.problem : parts.join(' ')
      },
    }
  }, [language, format])
}
