"""What is known of the rules before they are loaded: `python -m ampfix.rules._table` writes it."""

from __future__ import annotations

# fmt: off
# ruff: noqa: E501
_0 = (('near:autocast:autocast(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?\\b|\\bwith\\s[\\w.]*autocast_\\w+\\s*\\(',), ('near:GradScaler:GradScaler\\b',), ('.unscale_',), ('cuda.amp',),
 ('cpu.amp',), ('torch.amp',), ('import amp',), ('custom_fwd',), ('.backward(', '.scale('), ('.backward(', 'near:amp:\\bwith\\s(?:[\\w.]*[._])?amp(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('),
 ('.backward(', 'near:precision:\\bwith\\s(?:[\\w.]*[._])?precision(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('))
_1 = (('backward(', 'unscale_', 'clip_grad', '.scale(', 'zero_grad(', '.step(', 'caler.', 'caler('),)
_2 = (('.scale(', 'grad', 'nan_to_num'), ('.scale(', 'grad', 'isnan'), ('.scale(', 'grad', 'isfinite'), ('.scale(', 'grad', 'isinf'))
_3 = ()
_4 = (('.scale(', 'create_graph'),)
_5 = (('GradScaler', '.step('), ('.scale(', '.step('))
_6 = (('.step(', 'fused', 'SGD'),)
_7 = (('GradScaler',), ('near:scaler(:=\\s*[\\w.]*scaler\\(',))
_8 = (('state_dict', 'near:.scale(:\\.scale\\((?!\\s*\\))'), ('GradScaler',), ('state_dict', '--amp'), ('near:.scale(:\\.scale\\((?!\\s*\\))', 'save'), ('near:.scale(:\\.scale\\((?!\\s*\\))', 'load'), ('state_dict', 'NativeScaler'),
 ('state_dict', 'backward(', 'autocast('), ('state_dict', '_scaler('), ('state_dict', 'near:amp_:\\bamp_\\w', 'backward('), ('state_dict', 'near:amp_:\\bamp_\\w', 'unscale_'), ('state_dict', 'near:amp_:\\bamp_\\w', 'clip_grad'),
 ('.scale(', 'state_dict', 'near:amp_:\\bamp_\\w'), ('state_dict', 'near:amp_:\\bamp_\\w', 'zero_grad('), ('state_dict', 'near:amp_:\\bamp_\\w', '.step('), ('state_dict', 'near:amp_:\\bamp_\\w', 'caler.'),
 ('state_dict', 'near:amp_:\\bamp_\\w', 'caler('), ('state_dict', 'mixed_precision', 'backward('), ('state_dict', 'mixed_precision', 'unscale_'), ('state_dict', 'mixed_precision', 'clip_grad'), ('.scale(', 'state_dict', 'mixed_precision'),
 ('state_dict', 'mixed_precision', 'zero_grad('), ('state_dict', 'mixed_precision', '.step('), ('state_dict', 'mixed_precision', 'caler.'), ('state_dict', 'mixed_precision', 'caler('), ('state_dict', 'use_amp='), ('optimizer', 'use_amp='),
 ('state_dict', '.train_epoch('), ('.train_epoch(', 'save_checkpoint('), ('.train_epoch(', 'aver.step('), ('save_checkpoint(', '.train_step('), ('Trainer(', 'optimizer.state_dict('), ('save', 'near:caler(:caler\\(\\s*\\w*loss'),
 ('save', 'optimizer', 'near:caler(:=\\s*[\\w.]*(?:make|build|get|create|init|setup)_\\w*caler\\('), ('state_dict', 'near:.backward(:(?<!accelerator)(?<!fabric)\\.backward\\(\\s*\\w*loss'),
 ('near:import:\\Afrom [^\\n(#]*\\bimport\\b(?:[^\\n(#]*|\\s*\\([^)]*)\\b(?:\\w*Trainer|\\w*Engine|\\w*Learner|\\w*Runner|train\\w*|\\w*_train\\w*|fit\\w*|run_\\w*|\\w*epoch\\w*)\\b',
  'near:state_dict(:[Oo]pt\\w*(?:\\[[^\\]\\n]*\\])?\\.(?:load_)?state_dict\\('),
 ('near:import:\\Afrom [^\\n(#]*\\bimport\\b(?:[^\\n(#]*|\\s*\\([^)]*)\\b(?:\\w*Trainer|\\w*Engine|\\w*Learner|\\w*Runner|train\\w*|\\w*_train\\w*|fit\\w*|run_\\w*|\\w*epoch\\w*)\\b',
  'near:_checkpoint(:(?<!def )\\b(?:save|load)_checkpoint\\([^()]*(?:\\([^()]*\\)[^()]*)*\\b[Oo]pt'),
 ('near:state_dict(:(?<!\\bself)\\.[Oo]pt\\w*\\.(?:load_)?state_dict\\(',))
_9 = (('GradScaler',), ('autocast', '.scale(', 'bfloat16'))
_10 = (('near:autocast:autocast(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?\\b|\\bwith\\s[\\w.]*autocast_\\w+\\s*\\(',), ('near:GradScaler:GradScaler\\b',), ('.unscale_',), ('cuda.amp',),
 ('cpu.amp',), ('torch.amp',), ('import amp',), ('custom_fwd',), ('.backward(', '.scale('), ('.backward(', 'near:amp:\\bwith\\s(?:[\\w.]*[._])?amp(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('),
 ('.backward(', 'near:precision:\\bwith\\s(?:[\\w.]*[._])?precision(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('), ('.backward(', '.half('))
_11 = (('.backward(',),)
_12 = (('.scale(', '._scale'), ('.scale(', '._init_scale'), ('.scale(', '._growth_tracker'), ('.scale(', '._get_growth_tracker'), ('.scale(', '._found_inf_per_device'), ('.scale(', '._check_inf_per_device'), ('.scale(', '._per_optimizer_states'),
 ('.scale(', '._maybe_opt_step'), ('.scale(', '._unscale_grads_'), ('.scale(', '._lazy_init_scale_growth_tracker'), ('.scale(', '._check_scale_growth_tracker'), ('GradScaler', '._scale'), ('GradScaler', '._init_scale'),
 ('GradScaler', '._growth_tracker'), ('GradScaler', '._get_growth_tracker'), ('GradScaler', '._found_inf_per_device'), ('GradScaler', '._check_inf_per_device'), ('GradScaler', '._per_optimizer_states'), ('GradScaler', '._maybe_opt_step'),
 ('GradScaler', '._unscale_grads_'), ('GradScaler', '._lazy_init_scale_growth_tracker'), ('GradScaler', '._check_scale_growth_tracker'), ('GradScaler', '._enabled'), ('GradScaler', '._growth_factor'), ('GradScaler', '._backoff_factor'),
 ('GradScaler', '._growth_interval'))
_13 = (('GradScaler', 'init_scale'), ('GradScaler', 'growth_'), ('GradScaler', 'backoff_factor'), ('GradScaler', 'GradScaler('))
_14 = (('GradScaler', 'autocast', 'enabled'), ('GradScaler(', 'autocast('))
_15 = (('.backward(', 'autocast', 'DistributedDataParallel'), ('.backward(', 'GradScaler', 'DistributedDataParallel'), ('.backward(', 'autocast', 'FullyShardedDataParallel'), ('.backward(', 'GradScaler', 'FullyShardedDataParallel'),
 ('.backward(', 'autocast', 'fully_shard'), ('.backward(', 'GradScaler', 'fully_shard'), ('.backward(', 'autocast', 'get_rank'), ('.backward(', 'GradScaler', 'get_rank'), ('.backward(', 'autocast', 'get_world_size'),
 ('.backward(', 'GradScaler', 'get_world_size'), ('.backward(', 'autocast', 'init_process_group'), ('.backward(', 'GradScaler', 'init_process_group'), ('.backward(', 'autocast', 'is_initialized'),
 ('.backward(', 'GradScaler', 'is_initialized'))
_16 = (('GradScaler', '.scale('),)
_17 = (('.backward(', 'optim', '.half()'), ('.backward(', 'optim', '.bfloat16()'),
 ('.backward(', 'optim', 'near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if '),
 ('.backward(', 'optim', 'near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if '),
 ('.backward(', 'optim', 'near:float16:[\\"\']\\s*:\\s*torch\\.b?float16\\b'))
_18 = (('is_bf16_supported',), ('.backward(', 'autocast', 'bfloat16'), ('.backward(', '.bfloat16()'), ('.backward(', '(torch.bfloat16)'),
 ('.backward(', 'optim', 'near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ', 'bfloat16'))
_19 = (('autocast', 'backward', 'bfloat16'),)
_20 = (('autocast', 'backward', 'no_grad'), ('autocast', 'backward', 'inference_mode'), ('autocast', 'backward', '.eval()'), ('autocast', 'backward', 'import'), ('no_grad', 'caler.scale('), ('caler.scale(', 'inference_mode'),
 ('GradScaler', 'eval'), ('GradScaler', 'valid'), ('GradScaler', 'val_'), ('autocast', 'no_grad', 'scaler('), ('autocast', 'scaler(', 'import'), ('near:Trainer(:\\A\\s*(?:self\\.)?\\w*trainer\\w* *= *\\w*Trainer\\(', 'valuat'),
 ('eval', 'near:Trainer(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?\\w*Trainer\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b'),
 ('no_grad', 'near:Trainer(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?\\w*Trainer\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b'),
 ('.parameters()', 'near:Trainer(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?\\w*Trainer\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b'),
 ('eval', 'near:train_:\\A\\s*(?:\\w[\\w, ]*[_, ])?(?:model|net|network|encoder|generator)\\b[\\w, ]* = (?:(?!\\w*(?:model|net)\\b)\\w+\\.)?\\w*train_\\w+\\('),
 ('test', 'near:train_:\\A\\s*(?:\\w[\\w, ]*[_, ])?(?:model|net|network|encoder|generator)\\b[\\w, ]* = (?:(?!\\w*(?:model|net)\\b)\\w+\\.)?\\w*train_\\w+\\('),
 ('eval', 'near:train(:\\A\\s*(?:\\w[\\w, ]*[_, ])?(?:model|net|network|encoder|generator)\\b[\\w, ]* = (?:(?!\\w*(?:model|net)\\b)\\w+\\.)?\\w*train\\('),
 ('test', 'near:train(:\\A\\s*(?:\\w[\\w, ]*[_, ])?(?:model|net|network|encoder|generator)\\b[\\w, ]* = (?:(?!\\w*(?:model|net)\\b)\\w+\\.)?\\w*train\\('),
 ('eval', 'near:fit(:\\A\\s*(?:\\w[\\w, ]*[_, ])?(?:model|net|network|encoder|generator)\\b[\\w, ]* = (?:(?!\\w*(?:model|net)\\b)\\w+\\.)?\\w*fit\\('),
 ('test', 'near:fit(:\\A\\s*(?:\\w[\\w, ]*[_, ])?(?:model|net|network|encoder|generator)\\b[\\w, ]* = (?:(?!\\w*(?:model|net)\\b)\\w+\\.)?\\w*fit\\('),
 ('.parameters()', 'near:train_:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?:\\w+\\.)?\\w*train_\\w+\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b'),
 ('state_dict', 'near:train_:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?:\\w+\\.)?\\w*train_\\w+\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b'),
 ('near:train_:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?:\\w+\\.)?\\w*train_\\w+\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b', 'evaluate('),
 ('near:train_:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?:\\w+\\.)?\\w*train_\\w+\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b', 'validate('),
 ('.parameters()', 'near:train(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*train\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b'),
 ('state_dict', 'near:train(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*train\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b'),
 ('near:train(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*train\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b', 'evaluate('),
 ('near:train(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*train\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b', 'validate('),
 ('.parameters()', 'near:training(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*training\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b'),
 ('state_dict', 'near:training(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*training\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b'),
 ('near:training(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*training\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b', 'evaluate('),
 ('near:training(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*training\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b', 'validate('),
 ('.parameters()', 'near:fit(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*fit\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b'),
 ('state_dict', 'near:fit(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*fit\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b'),
 ('near:fit(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*fit\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b', 'evaluate('),
 ('near:fit(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*fit\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b', 'validate('),
 ('no_grad', 'near:context(:\\A\\s*with\\b[^\\n]*\\.\\w*context\\(', 'near:backward:backward\\w*\\s*[(),]'), ('near:context(:\\A\\s*with\\b[^\\n]*\\.\\w*context\\(', 'near:backward:backward\\w*\\s*[(),]', '.eval()'))
_21 = (('.half()',
  'near:autocast:autocast(?<!def '
  'autocast)(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?(?!\\s*\\((?:\\s*False\\b|[^()]*(?:\\([^()]*\\)[^()]*)*\\benabled\\s*=\\s*False\\b))\\s*\\(|autocast as '
  '\\w|(?:[=(@]|\\belse|\\breturn|\\bwith|\\blambda:)\\s*[\\w.]*autocast\\b(?!\\s*\\()|\\bwith\\s[\\w.]*autocast\\w*\\s*[:,]|\\bwith\\s[\\w.]*autocast_(?!disabled|off)\\w+\\s*\\('),
 ('.bfloat16()',
  'near:autocast:autocast(?<!def '
  'autocast)(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?(?!\\s*\\((?:\\s*False\\b|[^()]*(?:\\([^()]*\\)[^()]*)*\\benabled\\s*=\\s*False\\b))\\s*\\(|autocast as '
  '\\w|(?:[=(@]|\\belse|\\breturn|\\bwith|\\blambda:)\\s*[\\w.]*autocast\\b(?!\\s*\\()|\\bwith\\s[\\w.]*autocast\\w*\\s*[:,]|\\bwith\\s[\\w.]*autocast_(?!disabled|off)\\w+\\s*\\('),
 ('near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ',
  'near:autocast:autocast(?<!def '
  'autocast)(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?(?!\\s*\\((?:\\s*False\\b|[^()]*(?:\\([^()]*\\)[^()]*)*\\benabled\\s*=\\s*False\\b))\\s*\\(|autocast as '
  '\\w|(?:[=(@]|\\belse|\\breturn|\\bwith|\\blambda:)\\s*[\\w.]*autocast\\b(?!\\s*\\()|\\bwith\\s[\\w.]*autocast\\w*\\s*[:,]|\\bwith\\s[\\w.]*autocast_(?!disabled|off)\\w+\\s*\\('),
 ('near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ',
  'near:autocast:autocast(?<!def '
  'autocast)(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?(?!\\s*\\((?:\\s*False\\b|[^()]*(?:\\([^()]*\\)[^()]*)*\\benabled\\s*=\\s*False\\b))\\s*\\(|autocast as '
  '\\w|(?:[=(@]|\\belse|\\breturn|\\bwith|\\blambda:)\\s*[\\w.]*autocast\\b(?!\\s*\\()|\\bwith\\s[\\w.]*autocast\\w*\\s*[:,]|\\bwith\\s[\\w.]*autocast_(?!disabled|off)\\w+\\s*\\('),
 ('.backward(', 'optim', '.half()'), ('.backward(', 'optim', '.bfloat16()'),
 ('.backward(', 'optim', 'near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if '),
 ('.backward(', 'optim', 'near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if '),
 ('autocast', '.scale(', 'torch.float16 if'), ('autocast', '.scale(', 'else torch.float16'), ('autocast', '.scale(', 'torch.half if'), ('autocast', '.scale(', 'else torch.half'), ('autocast', '.scale(', 'torch.bfloat16 if'),
 ('autocast', '.scale(', 'else torch.bfloat16'))
_22 = (('.half()', '.bfloat16()', 'near:.to(:\\.to\\((?!\\s*(?:\\w+\\.)*_?device\\s*(?:,\\s*non_blocking=\\w+\\s*)?\\)|[\\"\'])', 'near:.type(:\\.type\\((?!\\s*(?:\\w+\\.)*_?device\\s*(?:,\\s*non_blocking=\\w+\\s*)?\\)|[\\"\'])'),)
_23 = (('state_dict', '.half()', 'save('), ('state_dict', '.bfloat16()', 'save('),
 ('state_dict', 'near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ', 'save('),
 ('state_dict', 'near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ', 'save('))
_24 = (('.half()', '.bfloat16()', 'near:.to(:\\.to\\((?!\\s*(?:\\w+\\.)*_?device\\s*(?:,\\s*non_blocking=\\w+\\s*)?\\)|[\\"\'])', 'near:.type(:\\.type\\((?!\\s*(?:\\w+\\.)*_?device\\s*(?:,\\s*non_blocking=\\w+\\s*)?\\)|[\\"\'])'),
 ('re:(?i)optim|\\bopt',))
_25 = (('autocast', 'cuda', 'cpu'),)
_26 = (('near:autocast:autocast(?<!def '
  'autocast)(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?(?!\\s*\\((?:\\s*False\\b|[^()]*(?:\\([^()]*\\)[^()]*)*\\benabled\\s*=\\s*False\\b))\\s*\\(|autocast as '
  '\\w|(?:[=(@]|\\belse|\\breturn|\\bwith|\\blambda:)\\s*[\\w.]*autocast\\b(?!\\s*\\()|\\bwith\\s[\\w.]*autocast\\w*\\s*[:,]|\\bwith\\s[\\w.]*autocast_(?!disabled|off)\\w+\\s*\\(',),
 ('re:[\\"\']cpu|\\.cpu\\(|cpu\\.amp',))
_27 = (('near:autocast:autocast(?<!def '
  'autocast)(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?(?!\\s*\\((?:\\s*False\\b|[^()]*(?:\\([^()]*\\)[^()]*)*\\benabled\\s*=\\s*False\\b))\\s*\\(|autocast as '
  '\\w|(?:[=(@]|\\belse|\\breturn|\\bwith|\\blambda:)\\s*[\\w.]*autocast\\b(?!\\s*\\()|\\bwith\\s[\\w.]*autocast\\w*\\s*[:,]|\\bwith\\s[\\w.]*autocast_(?!disabled|off)\\w+\\s*\\(',
  'GradScaler', '.scale(', '.unscale_', 'near:.half():\\A(?!\\s*[\\w.]+\\.(?:half\\(\\)|bfloat16\\(\\)|to\\((?:dtype=)?torch\\.\\w+\\))[ \\t]*[\\r\\n])[^\\n]*\\.half\\(\\)',
  'near:.bfloat16():\\A(?!\\s*[\\w.]+\\.(?:half\\(\\)|bfloat16\\(\\)|to\\((?:dtype=)?torch\\.\\w+\\))[ \\t]*[\\r\\n])[^\\n]*\\.bfloat16\\(\\)',
  'near:float16:\\A(?!\\s*[\\w.]+\\.(?:half\\(\\)|bfloat16\\(\\)|to\\((?:dtype=)?torch\\.\\w+\\))[ \\t]*[\\r\\n])[^\\n]*(?:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), '
  ')torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if )',
  'near:torch.half:\\A(?!\\s*[\\w.]+\\.(?:half\\(\\)|bfloat16\\(\\)|to\\((?:dtype=)?torch\\.\\w+\\))[ \\t]*[\\r\\n])[^\\n]*(?:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), '
  ')torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if )'),)
_28 = (('.half()', '.add_('), ('.half()', 'lerp_'), ('.backward(', '.half()'), ('autocast', '.half()'), ('.half()', ' += '), ('.bfloat16()', '.add_('), ('.bfloat16()', 'lerp_'), ('.backward(', '.bfloat16()'), ('autocast', '.bfloat16()'),
 ('.bfloat16()', ' += '), ('near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ', '.add_('),
 ('near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ', 'lerp_'),
 ('.backward(', 'near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if '),
 ('autocast', 'near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if '),
 ('near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ', ' += '),
 ('near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ', '.add_('),
 ('near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ', 'lerp_'),
 ('.backward(', 'near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if '),
 ('autocast', 'near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if '),
 ('near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ', ' += '))
_29 = (('deepcopy', 'AveragedModel', 'near:dtype:\\bdtype\\s*=\\s*(?!torch\\.(?:float32|float64|double|float\\b|u?int|long|bool))', 'near:.half(:\\A[^\\n]*(?:(?:zeros|ones|tensor|full|empty)|\\sfor\\b)',
  'near:.bfloat16(:\\A[^\\n]*(?:(?:zeros|ones|tensor|full|empty)|\\sfor\\b)', 'near:.to(:\\A[^\\n]*(?:(?:zeros|ones|tensor|full|empty)|\\sfor\\b)', 'near:.type(:\\A[^\\n]*(?:(?:zeros|ones|tensor|full|empty)|\\sfor\\b)'),)
_30 = (('near:autocast:autocast(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?\\b|\\bwith\\s[\\w.]*autocast_\\w+\\s*\\(',), ('near:GradScaler:GradScaler\\b',), ('.unscale_',), ('cuda.amp',),
 ('cpu.amp',), ('torch.amp',), ('import amp',), ('custom_fwd',), ('.backward(', '.scale('), ('.backward(', 'near:amp:\\bwith\\s(?:[\\w.]*[._])?amp(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('),
 ('.backward(', 'near:precision:\\bwith\\s(?:[\\w.]*[._])?precision(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('), ('.half(', 'exp('), ('.half(', 'exp_('))
_31 = (('near:autocast:autocast(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?\\b|\\bwith\\s[\\w.]*autocast_\\w+\\s*\\(',), ('near:GradScaler:GradScaler\\b',), ('.unscale_',), ('cuda.amp',),
 ('cpu.amp',), ('torch.amp',), ('import amp',), ('custom_fwd',), ('.backward(', '.scale('), ('.backward(', 'near:amp:\\bwith\\s(?:[\\w.]*[._])?amp(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('),
 ('.backward(', 'near:precision:\\bwith\\s(?:[\\w.]*[._])?precision(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('), ('.half(', 're:\\blog_?\\(', 'oftm'), ('.half(', 're:\\blog_?\\(', 'igmoid'), ('.half(', 're:\\blog_?\\(', 'expit'))
_32 = (('near:autocast:autocast(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?\\b|\\bwith\\s[\\w.]*autocast_\\w+\\s*\\(',), ('near:GradScaler:GradScaler\\b',), ('.unscale_',), ('cuda.amp',),
 ('cpu.amp',), ('torch.amp',), ('import amp',), ('custom_fwd',), ('.backward(', '.scale('), ('.backward(', 'near:amp:\\bwith\\s(?:[\\w.]*[._])?amp(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('),
 ('.backward(', 'near:precision:\\bwith\\s(?:[\\w.]*[._])?precision(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('), ('.half(', 're:\\de-|0\\.000|\\*\\*\\s*\\(?-'),
 ('near:torch.float16:\\A(?!\\s*[\\w.]+\\.(?:half\\(\\)|bfloat16\\(\\)|to\\((?:dtype=)?torch\\.\\w+\\))[ \\t]*[\\r\\n])[^\\n]*(?:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), '
  ')torch\\.float16\\b|torch\\.float16 if )',
  'near:e-:\\d(?:e-0?[89]|e-[1-9]\\d)\\b|\\b1(?:\\.0*)? ?- ?\\d+(?:\\.\\d*)?e-'))
_33 = (('near:autocast:autocast(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?\\b|\\bwith\\s[\\w.]*autocast_\\w+\\s*\\(',), ('near:GradScaler:GradScaler\\b',), ('.unscale_',), ('cuda.amp',),
 ('cpu.amp',), ('torch.amp',), ('import amp',), ('custom_fwd',), ('.backward(', '.scale('), ('.backward(', 'near:amp:\\bwith\\s(?:[\\w.]*[._])?amp(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('),
 ('.backward(', 'near:precision:\\bwith\\s(?:[\\w.]*[._])?precision(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('), ('.half(', 're:where\\(|fill|full|\\]\\s*=(?!=)', 're:\\d\\.?e\\+?\\d|\\d[\\d_]{4}|\\*\\s*\\(?[-\\d]|finfo'))
_34 = (('near:autocast:autocast(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?\\b|\\bwith\\s[\\w.]*autocast_\\w+\\s*\\(',), ('near:GradScaler:GradScaler\\b',), ('.unscale_',), ('cuda.amp',),
 ('cpu.amp',), ('torch.amp',), ('import amp',), ('custom_fwd',), ('.backward(', '.scale('), ('.backward(', 'near:amp:\\bwith\\s(?:[\\w.]*[._])?amp(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('),
 ('.backward(', 'near:precision:\\bwith\\s(?:[\\w.]*[._])?precision(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('), ('.half(', 're:[\\w)\\]]\\s*\\*\\*|pow_?\\(|square|(\\b\\w[\\w.]*) \\* \\1\\b', 're:(?:sum|mean|sqrt|norm|var|std)\\w*\\s*\\('))
_35 = (('near:autocast:autocast(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?\\b|\\bwith\\s[\\w.]*autocast_\\w+\\s*\\(',), ('near:GradScaler:GradScaler\\b',), ('.unscale_',), ('cuda.amp',),
 ('cpu.amp',), ('torch.amp',), ('import amp',), ('custom_fwd',), ('.backward(', '.scale('), ('.backward(', 'near:amp:\\bwith\\s(?:[\\w.]*[._])?amp(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('),
 ('.backward(', 'near:precision:\\bwith\\s(?:[\\w.]*[._])?precision(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('), ('.half(', 're:exp_?\\(|expm1|sinh|cosh|prod'),
 ('near:torch.float16:\\A(?!\\s*[\\w.]+\\.(?:half\\(\\)|bfloat16\\(\\)|to\\((?:dtype=)?torch\\.\\w+\\))[ \\t]*[\\r\\n])[^\\n]*(?:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), '
  ')torch\\.float16\\b|torch\\.float16 if )',
  'exp('))
_36 = (('.apply', 'autograd.Function'), ('.apply', 'torch.autograd', 'Function'))
_37 = (('near:autocast:autocast(?<!def '
  'autocast)(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?(?!\\s*\\((?:\\s*False\\b|[^()]*(?:\\([^()]*\\)[^()]*)*\\benabled\\s*=\\s*False\\b))\\s*\\(|autocast as '
  '\\w|(?:[=(@]|\\belse|\\breturn|\\bwith|\\blambda:)\\s*[\\w.]*autocast\\b(?!\\s*\\()|\\bwith\\s[\\w.]*autocast\\w*\\s*[:,]|\\bwith\\s[\\w.]*autocast_(?!disabled|off)\\w+\\s*\\(',
  'GradScaler', '.scale(', '.unscale_'),)
_38 = (('autocast', 'bfloat16'), ('.backward(', 'bfloat16()'), ('.backward(', 'near:autocast:\\bwith\\s[^\\n]*\\b\\w*autocast\\w*\\s*\\('), ('.backward(', 'near:amp:\\bwith\\s(?:[\\w.]*[._])?amp(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('),
 ('.backward(', 'near:precision:\\bwith\\s(?:[\\w.]*[._])?precision(?![a-z])\\w*(?:\\.\\w+)*\\s*\\('))
_39 = (('autocast', 'Linear('), ('autocast', 'Conv'), ('autocast', 'Embedding('))
_40 = (('near:autocast:autocast(?<!def '
  'autocast)(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?(?!\\s*\\((?:\\s*False\\b|[^()]*(?:\\([^()]*\\)[^()]*)*\\benabled\\s*=\\s*False\\b))\\s*\\(|autocast as '
  '\\w|(?:[=(@]|\\belse|\\breturn|\\bwith|\\blambda:)\\s*[\\w.]*autocast\\b(?!\\s*\\()|\\bwith\\s[\\w.]*autocast\\w*\\s*[:,]|\\bwith\\s[\\w.]*autocast_(?!disabled|off)\\w+\\s*\\(',),)
_41 = (('autocast', 'backward'), ('GradScaler', 'backward'))
_42 = (('autocast',),)
_43 = (('time(', 'perf_counter', 'monotonic', 'time_ns', 'default_timer', 'from time import'),
 ('near:autocast:autocast(?<!def '
  'autocast)(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?(?!\\s*\\((?:\\s*False\\b|[^()]*(?:\\([^()]*\\)[^()]*)*\\benabled\\s*=\\s*False\\b))\\s*\\(|autocast as '
  '\\w|(?:[=(@]|\\belse|\\breturn|\\bwith|\\blambda:)\\s*[\\w.]*autocast\\b(?!\\s*\\()|\\bwith\\s[\\w.]*autocast\\w*\\s*[:,]|\\bwith\\s[\\w.]*autocast_(?!disabled|off)\\w+\\s*\\(',))
_44 = (('autocast', 'backward', 'Linear('), ('backward', 'Linear(', 'half()'), ('GradScaler', 'Linear('))
_45 = (('autocast', 'time'), ('autocast', 'speedup'))
_46 = (('near:autocast:autocast(?<!def '
  'autocast)(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)(?:_?\\w*(?:ctx|context|scope|region|manager)\\w*)?(?!\\s*\\((?:\\s*False\\b|[^()]*(?:\\([^()]*\\)[^()]*)*\\benabled\\s*=\\s*False\\b))\\s*\\(|autocast as '
  '\\w|(?:[=(@]|\\belse|\\breturn|\\bwith|\\blambda:)\\s*[\\w.]*autocast\\b(?!\\s*\\()|\\bwith\\s[\\w.]*autocast\\w*\\s*[:,]|\\bwith\\s[\\w.]*autocast_(?!disabled|off)\\w+\\s*\\(',),
 ('re:/[^\\n]{0,80}?(?i:mp|fp16|bf16|half|mixed|autocast)',))
_47 = (('cuda.amp',), ('cpu.amp',), ('import amp',), ('_autocast_cpu_',), ('_autocast_gpu_',), ('_autocast_xla_',), ('_autocast_ipu_',))
_48 = (('re:autocast\\b(?<!torch\\.autocast)(?<!torch\\.amp\\.autocast)', 're:GradScaler\\b(?<!torch\\.GradScaler)(?<!torch\\.amp\\.GradScaler)', 'custom_fwd', 'custom_bwd', '_autocast_cpu_', '_autocast_gpu_', '_autocast_xla_',
  '_autocast_ipu_'),)
_49 = (('near:autocast:autocast(?:(?<=torch\\.autocast)|(?<=torch\\.amp\\.autocast))\\s*(?!\\(\\s*(?:device_type\\s*=\\s*)?(?:\\"\\w+\\"|\'\\w+\'|[\\w.]+\\.type\\b|[\\w.]*device_(?:type|str)\\b)\\s*(?:,\\s*(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*)*,?\\s*\\))\\(|autocast(?:(?<=cuda\\.amp\\.autocast)|(?<=cpu\\.amp\\.autocast))\\s*(?!\\(\\s*(?:(?:(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*|(?:self\\.)?(?!\\w*(?:dtype|device))\\b[a-zA-Z_]\\w*\\s*)(?:,\\s*(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*)*,?\\s*)?\\))\\(|autocast(?<!\\wautocast)(?<!def '
  'autocast)(?<!torch\\.autocast)(?<!torch\\.amp\\.autocast)(?<!cuda\\.amp\\.autocast)(?<!cpu\\.amp\\.autocast)\\s*(?!\\(\\s*(?:device_type\\s*=\\s*)?(?:\\"\\w+\\"|\'\\w+\'|[\\w.]+\\.type\\b|[\\w.]*device_(?:type|str)\\b)\\s*(?:,\\s*(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*)*,?\\s*\\)|\\(\\s*(?:(?:(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*|(?:self\\.)?(?!\\w*(?:dtype|device))\\b[a-zA-Z_]\\w*\\s*)(?:,\\s*(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*)*,?\\s*)?\\))\\(|@[\\w.]*\\bautocast\\b(?!\\s*\\()|\\bwith\\b[^\\n:]*\\bautocast\\b\\s*(?:[:,]|as\\b)|autocast '
  'as \\w',),
 ('torch.amp',
  'near:autocast:autocast(?<!\\wautocast)(?<!def '
  'autocast)(?<!torch\\.autocast)(?<!torch\\.amp\\.autocast)(?<!cuda\\.amp\\.autocast)(?<!cpu\\.amp\\.autocast)\\s*(?!\\(\\s*(?:device_type\\s*=\\s*)?(?:\\"\\w+\\"|\'\\w+\'|[\\w.]+\\.type\\b|[\\w.]*device_(?:type|str)\\b)\\s*(?:,\\s*(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*)*,?\\s*\\))\\('),
 ('near:autocast:autocast(?<!\\wautocast)(?<!def '
  'autocast)(?<!torch\\.autocast)(?<!torch\\.amp\\.autocast)(?<!cuda\\.amp\\.autocast)(?<!cpu\\.amp\\.autocast)\\s*(?!\\(\\s*(?:device_type\\s*=\\s*)?(?:\\"\\w+\\"|\'\\w+\'|[\\w.]+\\.type\\b|[\\w.]*device_(?:type|str)\\b)\\s*(?:,\\s*(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*)*,?\\s*\\))\\(',
  'torch import'),
 ('cuda.amp',
  'near:autocast:autocast(?<!\\wautocast)(?<!def '
  'autocast)(?<!torch\\.autocast)(?<!torch\\.amp\\.autocast)(?<!cuda\\.amp\\.autocast)(?<!cpu\\.amp\\.autocast)\\s*(?!\\(\\s*(?:(?:(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*|(?:self\\.)?(?!\\w*(?:dtype|device))\\b[a-zA-Z_]\\w*\\s*)(?:,\\s*(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*)*,?\\s*)?\\))\\('),
 ('cpu.amp',
  'near:autocast:autocast(?<!\\wautocast)(?<!def '
  'autocast)(?<!torch\\.autocast)(?<!torch\\.amp\\.autocast)(?<!cuda\\.amp\\.autocast)(?<!cpu\\.amp\\.autocast)\\s*(?!\\(\\s*(?:(?:(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*|(?:self\\.)?(?!\\w*(?:dtype|device))\\b[a-zA-Z_]\\w*\\s*)(?:,\\s*(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*)*,?\\s*)?\\))\\('),
 ('import amp',
  'near:autocast:autocast(?<!\\wautocast)(?<!def '
  'autocast)(?<!torch\\.autocast)(?<!torch\\.amp\\.autocast)(?<!cuda\\.amp\\.autocast)(?<!cpu\\.amp\\.autocast)\\s*(?!\\(\\s*(?:(?:(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*|(?:self\\.)?(?!\\w*(?:dtype|device))\\b[a-zA-Z_]\\w*\\s*)(?:,\\s*(?:enabled\\s*=\\s*(?![\\"\'])(?![\\w.]*dtype)[^,()=\\"\']+|dtype\\s*=\\s*[\\w.]*(?:dtype|float16|half)\\b|cache_enabled\\s*=\\s*\\w+)\\s*)*,?\\s*)?\\))\\('),
 ('.scale(', 'near:autocast:autocast\\s*\\((?:\\s*False\\b|[^()]*(?:\\([^()]*\\)[^()]*)*\\benabled\\s*=\\s*False\\b)'), ('caler(', 'near:autocast:autocast\\s*\\((?:\\s*False\\b|[^()]*(?:\\([^()]*\\)[^()]*)*\\benabled\\s*=\\s*False\\b)'))
_50 = (('from apex', 'amp'), ('apex.amp',))
_51 = (('register_backward_hook',), ('register_module_backward_hook',))
_52 = (('GradScaler',),)
_53 = (('backward(', 'clip_grad', 'accelerat'),)
_54 = (('GradScaler', 'LightningModule'), ('autocast', 'LightningModule'), ('GradScaler', 'Fabric'))
_55 = (('GradScaler', 'FullyShardedDataParallel'), ('GradScaler', 'near:model:model\\w*\\s*=\\s*[\\w.]*(?:wrap|shard|fsdp|distribut|parallel|prepare|setup)\\w*\\('))
ROWS = (
    ("AMP101", "clip-before-unscale", "clip_before_unscale", _0, _1, ('clip_while_scaled',), False),
    ("AMP102", "inspect-before-unscale", "inspect_before_unscale", _0, _1, ('read_while_scaled',), False),
    ("AMP103", "grad-edit-before-unscale", "grad_edit_before_unscale", _0, _1, ('edit_while_scaled',), False),
    ("AMP104", "unscale-twice", "unscale_twice", _0, _1, ('unscale_twice',), False),
    ("AMP105", "unscale-every-microbatch", "unscale_every_microbatch", _0, _1, ('unscale_in_window',), False),
    ("AMP106", "optimizer-step-bypasses-scaler", "optimizer_step_bypasses_scaler", _0, _1, ('raw_step_on_scaled',), False),
    ("AMP107", "double-step", "double_step", _0, _1, ('double_step',), False),
    ("AMP108", "backward-without-scale", "backward_without_scale", _0, _1, ('mixed_gradients', 'scaler_never_scaled', 'step_on_unscaled'), False),
    ("AMP109", "missing-update", "missing_update", _0, _1, ('missing_update',), False),
    ("AMP110", "update-every-microbatch", "update_every_microbatch", _0, _1, ('update_before_step', 'update_between_steps', 'update_without_step'), False),
    ("AMP111", "multiple-updates", "multiple_updates", _0, _1, ('update_before_step', 'update_between_steps', 'update_without_step'), False),
    ("AMP112", "update-before-step", "update_before_step", _0, _1, ('update_before_step', 'update_between_steps', 'update_without_step'), False),
    ("AMP113", "skip-without-update", "skip_without_update", _0, _1, ('skip_without_update',), False),
    ("AMP114", "scheduler-steps-on-skip", "scheduler_steps_on_skip", _0, _1, ('scheduler_on_skipped_step',), False),
    ("AMP115", "accum-not-divided", "accum_not_divided", _0, _1, (), False),
    ("AMP116", "accum-zeroed", "accum_zeroed", _0, _1, (), False),
    ("AMP117", "grad-scrub", "grad_scrub", _2, _3, (), False),
    ("AMP118", "grad-penalty-scaled", "grad_penalty_scaled", _4, _3, (), False),
    ("AMP119", "closure-with-scaler", "closure_with_scaler", _5, _3, (), False),
    ("AMP120", "step-without-grads", "step_without_grads", _0, _1, ('step_without_gradients',), False),
    ("AMP121", "backward-under-autocast", "backward_under_autocast", _0, _1, ('backward_in_autocast',), False),
    ("AMP122", "wrong-scaler", "wrong_scaler", _0, _1, ('mixed_gradients', 'wrong_scaler'), False),
    ("AMP123", "gradients-not-zeroed", "gradients_not_zeroed", _0, _1, ('mixed_gradients',), False),
    ("AMP124", "fused-sgd-momentum", "fused_sgd_momentum", _6, _3, (), False),
    ("AMP201", "fp16-without-scaler", "fp16_without_scaler", _0, _1, (), False),
    ("AMP202", "scaler-created-in-loop", "scaler_created_in_loop", _7, _3, (), False),
    ("AMP203", "scaler-state-not-saved", "scaler_state_not_saved", _8, _3, (), False),
    ("AMP204", "scaler-with-bf16", "scaler_with_bf16", _9, _3, (), False),
    ("AMP205", "manual-loss-scale", "manual_loss_scale", _10, _11, (), False),
    ("AMP206", "private-api", "private_api", _12, _3, (), False),
    ("AMP207", "bad-scaler-config", "bad_scaler_config", _13, _3, (), False),
    ("AMP208", "independent-enable-flags", "independent_enable_flags", _14, _3, (), False),
    ("AMP209", "rank-desync", "rank_desync", _15, _3, (), False),
    ("AMP210", "scaler-without-autocast", "scaler_without_autocast", _16, _3, (), False),
    ("AMP301", "half-model", "half_model", _17, _3, (), False),
    ("AMP302", "bf16-unchecked-hardware", "bf16_unchecked_hardware", _18, _3, (), False),
    ("AMP303", "mixed-dtypes", "mixed_dtypes", _19, _3, (), False),
    ("AMP304", "val-without-autocast", "val_without_autocast", _20, _3, (), False),
    ("AMP305", "half-input-cast", "half_input_cast", _21, _22, (), False),
    ("AMP306", "half-checkpoint", "half_checkpoint", _23, _24, (), False),
    ("AMP307", "autocast-device-mismatch", "autocast_device_mismatch", _25, _26, (), False),
    ("AMP308", "dtype-risk", "dtype_risk", _0, _27, (), False),
    ("AMP309", "low-precision-accumulator", "low_precision_accumulator", _28, _29, (), True),
    ("AMP401", "unstable-softmax-loss", "unstable_softmax_loss", _30, _27, (), False),
    ("AMP402", "log-of-probability", "log_of_probability", _31, _27, (), False),
    ("AMP403", "bce-under-autocast", "bce_under_autocast", _0, _27, (), False),
    ("AMP404", "eps-underflow", "eps_underflow", _32, _27, (), False),
    ("AMP405", "fp16-mask-fill", "fp16_mask_fill", _33, _27, (), False),
    ("AMP406", "square-overflow", "square_overflow", _34, _27, (), False),
    ("AMP407", "unstable-loss-under-autocast", "unstable_loss_under_autocast", _35, _27, (), False),
    ("AMP408", "custom-function", "custom_function", _36, _37, (), False),
    ("AMP409", "batchnorm-poisoning", "batchnorm_poisoning", _0, _27, (), False),
    ("AMP410", "stale-autocast-cache", "stale_autocast_cache", _0, _1, (), False),
    ("AMP411", "nan-unguarded-bf16", "nan_unguarded_bf16", _38, _1, (), False),
    ("AMP412", "hand-attention", "hand_attention", _0, _27, (), False),
    ("AMP501", "misaligned-dims", "misaligned_dims", _39, _40, (), False),
    ("AMP502", "sync-in-hot-loop", "sync_in_hot_loop", _41, _3, (), False),
    ("AMP503", "timing-without-sync", "timing_without_sync", _42, _43, (), False),
    ("AMP504", "amp-on-tiny-model", "amp_on_tiny_model", _44, _3, (), False),
    ("AMP505", "unverified-speedup", "unverified_speedup", _45, _46, (), False),
    ("AMP601", "deprecated-api", "deprecated_api", _47, _48, (), False),
    ("AMP602", "autocast-misuse", "autocast_misuse", _49, _3, (), False),
    ("AMP603", "apex-amp", "apex_amp", _50, _3, (), False),
    ("AMP604", "deprecated-hook", "deprecated_hook", _51, _3, (), False),
    ("AMP605", "scaler-misuse", "scaler_misuse", _52, _3, (), False),
    ("AMP701", "accelerate-raw-clip", "accelerate_raw_clip", _53, _3, (), False),
    ("AMP702", "lightning-manual-scaler", "lightning_manual_scaler", _54, _3, (), False),
    ("AMP703", "fsdp-plain-scaler", "fsdp_plain_scaler", _55, _3, (), False),
)
TREE = ((b'autocast', ((),), ()), (b'custom_fwd', ((),), ()), (b'is_bf16_supported', ((),), ()), (b'.apply', (), ((b'autograd.Function', ((),), ()), (b'Function', (), ((b'torch.autograd', ((),), ()),)))), (b'.step(', (), ((b'SGD', (), ((b'fused', ((),), ()),)),)), (b'_checkpoint(', (), ((b'import', (('near:_checkpoint(:(?<!def )\\b(?:save|load)_checkpoint\\([^()]*(?:\\([^()]*\\)[^()]*)*\\b[Oo]pt', 'near:import:\\Afrom [^\\n(#]*\\bimport\\b(?:[^\\n(#]*|\\s*\\([^)]*)\\b(?:\\w*Trainer|\\w*Engine|\\w*Learner|\\w*Runner|train\\w*|\\w*_train\\w*|fit\\w*|run_\\w*|\\w*epoch\\w*)\\b'),), ()),)), (b'amp', (), ((b'from apex', ((),), ()), (b'import amp', ((),), ()), (b'.amp', (), ((b'apex.amp', ((),), ()), (b'cpu.amp', ((),), ()), (b'cuda.amp', ((),), ()), (b'torch.amp', ((),), ()))), (b'optimizer', (), ((b'use_amp=', ((),), ()),)))),
 (b'backward', (), ((b'register_backward_hook', ((),), ()), (b'register_module_backward_hook', ((),), ()), (b'.backward(', (), ((b'amp', (('near:amp:\\bwith\\s(?:[\\w.]*[._])?amp(?![a-z])\\w*(?:\\.\\w+)*\\s*\\(',),), ()), (b'float16', (('near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ',),), ((b'(torch.bfloat16)', ((),), ()), (b'bfloat16()', ((),), ()), (b'optim', (('near:float16:[\\"\']\\s*:\\s*torch\\.b?float16\\b',),), ()))), (b'half', (), ((b'torch.half', (('near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ',),), ()),)), (b'precision', (('near:precision:\\bwith\\s(?:[\\w.]*[._])?precision(?![a-z])\\w*(?:\\.\\w+)*\\s*\\(',),), ()))), (b'Linear(', (), ((b'half', (), ((b'half()', ((),), ()),)),)), (b'accelerat', (), ((b'backward(', (), ((b'clip_grad', ((),), ()),)),)), (b'context(', (), ((b'.eval()', (('near:backward:backward\\w*\\s*[(),]', 'near:context(:\\A\\s*with\\b[^\\n]*\\.\\w*context\\('),), ()), (b'no_grad', (('near:backward:backward\\w*\\s*[(),]', 'near:context(:\\A\\s*with\\b[^\\n]*\\.\\w*context\\('),), ()))))),
 (b'cale', (), ((b'.unscale_', ((),), ()), (b'.scale(', (), ((b'._check_inf_per_device', ((),), ()), (b'._check_scale_growth_tracker', ((),), ()), (b'._found_inf_per_device', ((),), ()), (b'._get_growth_tracker', ((),), ()), (b'._growth_tracker', ((),), ()), (b'._init_scale', ((),), ()), (b'._lazy_init_scale_growth_tracker', ((),), ()), (b'._maybe_opt_step', ((),), ()), (b'._per_optimizer_states', ((),), ()), (b'._scale', ((),), ()), (b'._unscale_grads_', ((),), ()), (b'.step(', ((),), ()), (b'create_graph', ((),), ()), (b'.backward(', (), ((b'backward', ((),), ()),)), (b'grad', (), ((b'isfinite', ((),), ()), (b'isinf', ((),), ()), (b'isnan', ((),), ()), (b'nan_to_num', ((),), ()))), (b'load', (('near:.scale(:\\.scale\\((?!\\s*\\))',),), ()), (b'save', (('near:.scale(:\\.scale\\((?!\\s*\\))',),), ()), (b'state_dict', (('near:.scale(:\\.scale\\((?!\\s*\\))',),), ((b'mixed_precision', ((),), ()), (b'amp', (), ((b'amp_', (('near:amp_:\\bamp_\\w',),), ()),)))))), (b'caler', (), ((b'GradScaler', ((),), ()), (b'caler(', (), ((b'save', (('near:caler(:caler\\(\\s*\\w*loss',),), ((b'optimizer', (('near:caler(:=\\s*[\\w.]*(?:make|build|get|create|init|setup)_\\w*caler\\(',),), ()),)),)), (b'caler.scale(', (), ((b'inference_mode', ((),), ()), (b'no_grad', ((),), ()))), (b'scaler(', (('near:scaler(:=\\s*[\\w.]*scaler\\(',),), ()), (b'state_dict', (), ((b'NativeScaler', ((),), ()), (b'_scaler(', ((),), ()), (b'amp', (), ((b'amp_', (), ((b'caler(', (('near:amp_:\\bamp_\\w',),), ()), (b'caler.', (('near:amp_:\\bamp_\\w',),), ()))),)), (b'mixed_precision', (), ((b'caler(', ((),), ()), (b'caler.', ((),), ()))))))), (b'state_dict', (), ((b'unscale_', (), ((b'mixed_precision', ((),), ()), (b'amp', (), ((b'amp_', (('near:amp_:\\bamp_\\w',),), ()),)))),)))),
 (b'fit(', (), ((b'.parameters()', (('near:fit(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*fit\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'eval', (('near:fit(:\\A\\s*(?:\\w[\\w, ]*[_, ])?(?:model|net|network|encoder|generator)\\b[\\w, ]* = (?:(?!\\w*(?:model|net)\\b)\\w+\\.)?\\w*fit\\(',),), ()), (b'evaluate(', (('near:fit(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*fit\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'test', (('near:fit(:\\A\\s*(?:\\w[\\w, ]*[_, ])?(?:model|net|network|encoder|generator)\\b[\\w, ]* = (?:(?!\\w*(?:model|net)\\b)\\w+\\.)?\\w*fit\\(',),), ()), (b'validate(', (('near:fit(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*fit\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()))),
 (b'float16', (), ((b' += ', (('near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ',),), ()), (b'.add_(', (('near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ',),), ()), (b'.bfloat16()', (), ((b' += ', ((),), ()), (b'.add_(', ((),), ()), (b'lerp_', ((),), ()))), (b'lerp_', (('near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ',),), ()), (b'torch.float16', (), ((b'e-', (('near:e-:\\d(?:e-0?[89]|e-[1-9]\\d)\\b|\\b1(?:\\.0*)? ?- ?\\d+(?:\\.\\d*)?e-', 'near:torch.float16:\\A(?!\\s*[\\w.]+\\.(?:half\\(\\)|bfloat16\\(\\)|to\\((?:dtype=)?torch\\.\\w+\\))[ \\t]*[\\r\\n])[^\\n]*(?:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.float16\\b|torch\\.float16 if )'),), ()), (b'exp(', (('near:torch.float16:\\A(?!\\s*[\\w.]+\\.(?:half\\(\\)|bfloat16\\(\\)|to\\((?:dtype=)?torch\\.\\w+\\))[ \\t]*[\\r\\n])[^\\n]*(?:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.float16\\b|torch\\.float16 if )',),), ()))))),
 (b'half', (), ((b'.half(', ((),), ()), (b'torch.half', (), ((b' += ', (('near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ',),), ()), (b'.add_(', (('near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ',),), ()), (b'lerp_', (('near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ',),), ()))))),
 (b'rain', (),
  ((b'Trainer(', (), ((b'.parameters()', (('near:Trainer(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?\\w*Trainer\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'eval', (('near:Trainer(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?\\w*Trainer\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'no_grad', (('near:Trainer(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?\\w*Trainer\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'optimizer.state_dict(', (), ((b'state_dict', ((),), ()),)), (b'valuat', (('near:Trainer(:\\A\\s*(?:self\\.)?\\w*trainer\\w* *= *\\w*Trainer\\(',),), ()))), (b'train(', (), ((b'.parameters()', (('near:train(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*train\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'eval', (('near:train(:\\A\\s*(?:\\w[\\w, ]*[_, ])?(?:model|net|network|encoder|generator)\\b[\\w, ]* = (?:(?!\\w*(?:model|net)\\b)\\w+\\.)?\\w*train\\(',),), ()), (b'evaluate(', (('near:train(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*train\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'state_dict', (('near:train(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*train\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'test', (('near:train(:\\A\\s*(?:\\w[\\w, ]*[_, ])?(?:model|net|network|encoder|generator)\\b[\\w, ]* = (?:(?!\\w*(?:model|net)\\b)\\w+\\.)?\\w*train\\(',),), ()), (b'validate(', (('near:train(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*train\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()))),
   (b'train_', (), ((b'.parameters()', (('near:train_:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?:\\w+\\.)?\\w*train_\\w+\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'.train_epoch(', (), ((b'state_dict', ((),), ()), (b'.step(', (), ((b'aver.step(', ((),), ()),)), (b'_checkpoint(', (), ((b'save_checkpoint(', ((),), ()),)))), (b'.train_step(', (), ((b'_checkpoint(', (), ((b'save_checkpoint(', ((),), ()),)),)), (b'eval', (('near:train_:\\A\\s*(?:\\w[\\w, ]*[_, ])?(?:model|net|network|encoder|generator)\\b[\\w, ]* = (?:(?!\\w*(?:model|net)\\b)\\w+\\.)?\\w*train_\\w+\\(',),), ()), (b'evaluate(', (('near:train_:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?:\\w+\\.)?\\w*train_\\w+\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'state_dict', (('near:train_:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?:\\w+\\.)?\\w*train_\\w+\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'test', (('near:train_:\\A\\s*(?:\\w[\\w, ]*[_, ])?(?:model|net|network|encoder|generator)\\b[\\w, ]* = (?:(?!\\w*(?:model|net)\\b)\\w+\\.)?\\w*train_\\w+\\(',),), ()), (b'validate(', (('near:train_:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?:\\w+\\.)?\\w*train_\\w+\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()))),
   (b'training(', (), ((b'.parameters()', (('near:training(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*training\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'evaluate(', (('near:training(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*training\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'state_dict', (('near:training(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*training\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'validate(', (('near:training(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*training\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()))))),
 (b'state_dict', (), ((b'.backward(', (), ((b'backward', (('near:.backward(:(?<!accelerator)(?<!fabric)\\.backward\\(\\s*\\w*loss',),), ()),)), (b'amp', (), ((b'--amp', ((),), ()), (b'use_amp=', ((),), ()), (b'amp_', (), ((b'.step(', (('near:amp_:\\bamp_\\w',),), ()), (b'backward', (), ((b'backward(', (('near:amp_:\\bamp_\\w',),), ()),)), (b'clip_grad', (('near:amp_:\\bamp_\\w',),), ()), (b'zero_grad(', (('near:amp_:\\bamp_\\w',),), ()))))), (b'fit(', (('near:fit(:\\A\\s*(?:[\\w.,\\[\\] ]+ = |return )?(?!prepare_)\\w*fit\\((?:[^()#]|\\([^()]*\\)){0,150}?\\b(?:\\w*_)?(?:model|net|network|encoder|generator)\\b',),), ()), (b'mixed_precision', (), ((b'.step(', ((),), ()), (b'clip_grad', ((),), ()), (b'zero_grad(', ((),), ()), (b'backward', (), ((b'backward(', ((),), ()),)))), (b'save(', (), ((b'float16', (('near:float16:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ',),), ((b'.bfloat16()', ((),), ()),)), (b'half', (), ((b'torch.half', (('near:torch.half:(?:\\w\\((?<!finfo\\()|(?<![=!<>])=\\s*|\\belse |\\breturn |(?<!oat16)(?<!oat32)(?<!half), )torch\\.(?:b?float16|half)\\b|torch\\.(?:b?float16|half)\\b if ',),), ()),)))), (b'state_dict(', (('near:state_dict(:(?<!\\bself)\\.[Oo]pt\\w*\\.(?:load_)?state_dict\\(',),), ((b'import', (('near:import:\\Afrom [^\\n(#]*\\bimport\\b(?:[^\\n(#]*|\\s*\\([^)]*)\\b(?:\\w*Trainer|\\w*Engine|\\w*Learner|\\w*Runner|train\\w*|\\w*_train\\w*|fit\\w*|run_\\w*|\\w*epoch\\w*)\\b', 'near:state_dict(:[Oo]pt\\w*(?:\\[[^\\]\\n]*\\])?\\.(?:load_)?state_dict\\('),), ()),)))))
