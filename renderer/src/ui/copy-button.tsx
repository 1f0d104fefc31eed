import { Check, Copy } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useTexts } from '../messages/texts.tsx'
import { Button, IconButton } from './button.tsx'
import { copyText } from './clipboard.ts'
import { Icon } from './icon.tsx'

interface CopyButtonProps {
  /** Always the full value, however short it is shown. */
  value: string
  /** What is copied, for the accessible name. */
  label: string
  /** Shows the word beside the icon. */
  withWord?: boolean
}

export function CopyButton({ value, label, withWord = false }: CopyButtonProps) {
  const { t } = useTexts()
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 2_000)
    return () => clearTimeout(timer)
  }, [copied])
  const copy = (): void => {
    void copyText(value).then(setCopied)
  }
  const icon = <Icon of={copied ? Check : Copy} size={15} />
  return withWord ? (
    <Button kind="ghost" size="sm" icon={icon} onClick={copy} aria-label={label}>
      {copied ? t('action.copied') : t('action.copy')}
    </Button>
  ) : (
    <IconButton small label={copied ? t('action.copied') : label} onClick={copy}>
      {icon}
    </IconButton>
  )
}
