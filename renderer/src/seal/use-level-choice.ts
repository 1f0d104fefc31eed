import { useEffect, useRef } from 'react'
import type { LevelView, PrivacyLevel } from '../../../preload/api/chat.ts'
import { useKeys } from '../app/keys.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { useToast } from '../ui/toasts.tsx'
import { isSetUp, levelName, levelOrder } from './level.ts'

const wishes = new EventTarget()

/** Chooses a level for the chat on the screen from elsewhere, as its keys do. */
export function wishLevel(level: PrivacyLevel): void {
  wishes.dispatchEvent(new CustomEvent<PrivacyLevel>('level', { detail: level }))
}

/** Alt with a number, and commands, choose a level. One that has to be set up first is not chosen: what it takes is said instead. */
export function useLevelChoice(levels: readonly LevelView[] | undefined, choose: (level: PrivacyLevel) => void): void {
  const { t } = useTexts()
  const { saidReason } = useCoreWords()
  const toast = useToast()
  const wish = (level: PrivacyLevel): undefined => {
    const state = levels?.find((one) => one.level === level)
    if (isSetUp(state)) choose(level)
    else toast(t(levelName[level]), saidReason(state))
  }
  useKeys(Object.fromEntries(levelOrder.map((level, index) => [`Alt+${index + 1}`, () => wish(level)])))
  const newest = useRef(wish)
  useEffect(() => {
    newest.current = wish
  })
  useEffect(() => {
    const listen = (event: Event): void => newest.current((event as CustomEvent<PrivacyLevel>).detail)
    wishes.addEventListener('level', listen)
    return () => wishes.removeEventListener('level', listen)
  }, [])
}
