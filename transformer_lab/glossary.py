"""Every term of the course, in English and Chinese, in a line; ordered by either language."""

import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple

# Lessons that exist as notebooks are linked.
NOTEBOOKS = {
    0: "00_start_here.ipynb",
    1: "01_toolkit.ipynb",
    2: "02_attention.ipynb",
    3: "03_masks.ipynb",
    4: "04_multi_head.ipynb",
    5: "05_feed_forward.ipynb",
    6: "06_residual.ipynb",
    7: "07_layer_norm.ipynb",
    8: "08_positions.ipynb",
    9: "09_block.ipynb",
    10: "10_tokens.ipynb",
    11: "11_encoder_decoder.ipynb",
    12: "12_decoding.ipynb",
    13: "13_training.ipynb",
    14: "14_gpt.ipynb",
    15: "15_bert.ipynb",
    16: "16_fine_tuning.ipynb",
}


class Term(NamedTuple):
    """One entry: the term, its Chinese name, its pinyin (one syllable per character), its meaning, its lesson."""

    english: str
    chinese: str
    pinyin: str
    meaning: str
    lesson: int


# english | chinese | pinyin | lesson, and below it the meaning. Where Chinese texts keep the Latin word, so do we.
_TEXT = """
ablation | 消融 | xiāo róng | 02
    Taking a part of a model away (zero, mean, resample ablation) and measuring what it can no longer do.
activation function | 激活函数 | jī huó hán shù | 05
    A curve applied to each number by itself; without it, stacked linear layers are one linear layer.
AdamW | AdamW | AdamW | 13
    Adam divides each weight's step by the usual size of its gradient; AdamW adds a separate weight decay.
adapter | 适配器 | shì pèi qì | 16
    A small trainable layer put into a model whose own weights stay as they are.
ALiBi | ALiBi | ALiBi | 08
    Positions as a penalty on the scores that grows linearly with the distance; each head has its own slope.
alignment | 对齐 | duì qí | 11
    Which source tokens belong to which target tokens.
alignment accuracy | 对齐准确率 | duì qí zhǔn què lǜ | 11
    The share of target tokens whose largest weight is on the source token they translate.
attention | 注意力 | zhù yì lì | 00
    An average of the values in which each query chooses the weights by comparing itself with the keys.
attention map | 注意力图 | zhù yì lì tú | 00
    The weights of one head as a picture: queries in rows, keys in columns.
attention sink | 注意力汇 | zhù yì lì huì | 17
    A token, often the first, that gets the weight for which a head has no better use.
attention weight | 注意力权重 | zhù yì lì quán zhòng | 02
    The share of one value in the output at one query; the weights of a query sum to 1.
autoregressive | 自回归 | zì huí guī | 13
    Writing one token at a time, each from all those before it.
axis | 轴 | zhóu | 01
    One of the directions of a tensor; a tensor of shape (B, T, D) has three.
backpropagation | 反向传播 | fǎn xiàng chuán bō | 01
    Working out all gradients in one pass from the loss back to the input, by the chain rule.
bag of words | 词袋 | cí dài | 08
    A text as its tokens without their order.
batch | 批次 | pī cì | 01
    Several examples that are computed at the same time.
batch normalisation | 批量归一化 | pī liàng guī yī huà | 07
    Mean and variance of each feature over a batch; layer normalisation does not depend on other examples.
beam search | 束搜索 | shù sōu suǒ | 12
    Writing with several unfinished texts kept side by side: at each token the most probable few stay.
BERT | BERT | BERT | 09
    A stack that reads in both directions, trained to guess tokens that were hidden.
bias | 偏置 | piān zhì | 01
    A learnt vector that a linear layer adds to its product; also a number added to a score (ALiBi).
bigram | 二元语法 | èr yuán yǔ fǎ | 01
    Two neighbouring tokens; a bigram model guesses each token from the one before it alone.
bit | 比特 | bǐ tè | 10
    Unit of surprise: what had the probability 1/2 costs one, 1/4 two, 1/8 three.
bits per character | 每字符比特数 | měi zì fú bǐ tè shù | 10
    The loss over a text in bits, divided by its characters; it compares models with different tokenisers.
BLEU | BLEU | BLEU | 12
    Translation quality: the share of short word sequences that also occur in a reference translation.
block | 块 | kuài | 00
    Attention and a feed-forward layer, each with its residual connection and norm; a model stacks L of them.
branch | 分支 | fēn zhī | 06
    The part of a residual layer that computes: F in x + F(x).
broadcasting | 广播 | guǎng bō | 01
    Axes of size 1, or missing in front, act as if repeated until two shapes fit.
byte-pair encoding | 字节对编码 | zì jié duì biān mǎ | 10
    A tokeniser learnt by counting: the most frequent pair of neighbouring pieces becomes one piece, again and again.
catastrophic forgetting | 灾难性遗忘 | zāi nàn xìng yí wàng | 16
    What a model could do before is lost while it learns a new task.
causal | 因果 | yīn guǒ | 03
    No output depends on a later input.
causal mask | 因果掩码 | yīn guǒ yǎn mǎ | 03
    Lets each position see itself and what comes before it, and nothing after.
chain rule | 链式法则 | liàn shì fǎ zé | 01
    The derivative of a function of a function is the product of the two derivatives (of the two Jacobians).
chat template | 对话格式 | duì huà gé shì | 14
    The fixed form, with special tokens, in which a conversation is written as one text to be continued.
checkpoint | 检查点 | jiǎn chá diǎn | 13
    The state of a training run in a file, complete enough to resume the run.
chrF | chrF | chrF | 12
    Translation quality from short character sequences shared with a reference translation.
conditional entropy | 条件熵 | tiáo jiàn shāng | 01
    The entropy that is left when something is known; no model that knows only this has a lower expected loss.
continual learning | 持续学习 | chí xù xué xí | 16
    One task is learnt after another; a few examples of the earlier one, mixed in (rehearsal), keep it from being lost.
convex hull | 凸包 | tū bāo | 02
    All points that weighted averages of given points can reach; the output of a head lies in that of its values.
core of attention | 注意力核心 | zhù yì lì hé xīn | 09
    Its two products without learnt matrices, scores and mix; their cost grows with T times S.
cosine similarity | 余弦相似度 | yú xián xiāng sì dù | 01
    The dot product of two vectors divided by both lengths: 1 for the same direction, 0 for a right angle.
covariance | 协方差 | xié fāng chā | 01
    The mean product of two numbers' distances from their means; 0 when they are independent.
cross-attention | 交叉注意力 | jiāo chā zhù yì lì | 02
    Attention with queries from one sequence, and keys and values from another.
cross-entropy | 交叉熵 | jiāo chā shāng | 01
    The mean of -ln(probability given to the right answer), in nats; the loss of nearly every model here.
data parallelism | 数据并行 | shù jù bìng xíng | 18
    The same model on several devices, each with its share of the batch; the gradients are averaged.
decoder | 解码器 | jiě mǎ qì | 02
    The causal stack that writes the target; beside an encoder, its blocks also hold a cross-attention.
distillation | 知识蒸馏 | zhī shí zhēng liú | 16
    Training a small model to give the probabilities of a large one.
distributed representation | 分布式表示 | fēn bù shì biǎo shì | 05
    What a model knows stands in a pattern over many units, and each unit is part of many patterns.
dot product | 点积 | diǎn jī | 01
    Multiply two vectors component by component and add up; large when they point the same way.
dropout | 随机失活 | suí jī shī huó | 07
    In training, each number is set to 0 with a fixed probability and the rest scaled up to keep the mean.
early stopping | 早停 | zǎo tíng | 13
    Ending the training when the loss on the validation set no longer falls.
einsum | 爱因斯坦求和 | ài yīn sī tǎn qiú hé | 01
    A product written by naming axes: those missing in the result are summed, as in `"td,sd->ts"`.
embedding | 嵌入 | qiàn rù | 01
    The learnt vector of a token: a row of a table with vocab_size rows of width D.
encoder | 编码器 | biān mǎ qì | 02
    The stack that reads the source in both directions and gives one vector for each token.
encoder-decoder | 编码器-解码器 | biān mǎ qì jiě mǎ qì | 11
    The Transformer of 2017: an encoder reads the source, a decoder writes the target and looks at it.
entropy | 熵 | shāng | 02
    How spread a distribution is: the sum of -w ln w; 0 when one weight is 1, ln S for S equal weights.
epoch | 轮次 | lún cì | 13
    One pass of the training through all its examples.
equivariance | 等变性 | děng biàn xìng | 08
    Change the input, and the output changes in the same way.
exact match | 精确匹配 | jīng què pǐ pèi | 00
    The share of outputs that are right in every token.
exploding gradient | 梯度爆炸 | tī dù bào zhà | 06
    Gradients that grow from layer to layer on the way back, until the steps are far too large.
exposure bias | 暴露偏差 | bào lù piān chā | 11
    In training the model reads only correct texts; when it writes, it reads its own errors.
F1 score | F1 分数 | F1 fēn shù | 15
    The harmonic mean of precision and recall.
feature | 特征 | tè zhēng | 04
    One of the D numbers of a hidden state.
feed-forward layer | 前馈网络 | qián kuì wǎng luò | 05
    Two linear layers with an activation between them, at each position alone; also feed-forward network.
few-shot prompting | 少样本提示 | shǎo yàng běn tí shì | 14
    Showing a task by a few examples in the prompt; without any it is called zero-shot.
final norm | 最终归一化 | zuì zhōng guī yī huà | 07
    The norm after the last block of a pre-norm stack.
fine-tuning | 微调 | wēi tiáo | 16
    Training a pre-trained model further, on the task one wants.
finite differences | 有限差分 | yǒu xiàn chā fēn | 01
    Measuring a derivative: move the input a little both ways, divide the change of the output by the distance.
FLOP | 浮点运算 | fú diǎn yùn suàn | 05
    One addition or multiplication; a matrix costs 2 for each entry and token.
free running | 自由运行 | zì yóu yùn xíng | 11
    The decoder reads what it has written itself; the opposite of teacher forcing.
frequency | 频率 | pín lǜ | 08
    How fast a pair of features rotates with the position, in radians per position.
fused attention | 融合注意力 | róng hé zhù yì lì | 02
    Scores, softmax and mix in one piece of machine code that never stores the weights.
gain | 增益 | zēng yì | 06
    The factor by which a layer changes the size of what passes through it.
gating | 门控 | mén kòng | 05
    Multiplying one projection, element by element, by the activation of another.
GELU | 高斯误差线性单元 | gāo sī wù chā xiàn xìng dān yuán | 05
    An activation like a rounded ReLU: x times the probability that a standard normal number is below x.
GPT | GPT | GPT | 09
    A causal stack trained to predict the next token of any text.
gradient | 梯度 | tī dù | 01
    The derivatives of one number with respect to many: the direction in which it rises fastest.
gradient accumulation | 梯度累积 | tī dù lěi jī | 13
    Adding up the gradients of several small batches before one step, as if they were one large batch.
gradient clipping | 梯度裁剪 | tī dù cái jiǎn | 13
    Shortening the gradient when its length exceeds a limit.
gradient descent | 梯度下降 | tī dù xià jiàng | 01
    Learning by small steps of the weights against the gradient of the loss.
gradient norm | 梯度范数 | tī dù fàn shù | 13
    The length of all gradients of a model taken together as one vector.
greedy decoding | 贪心解码 | tān xīn jiě mǎ | 12
    Writing the most probable token each time.
grouped-query attention | 分组查询注意力 | fēn zǔ chá xún zhù yì lì | 04
    Several heads of queries share one head of keys and values, which makes the cache smaller.
head | 注意力头 | zhù yì lì tóu | 00
    One of H attentions side by side, each with its own queries, keys and values of width d_head.
held-out data | 留出数据 | liú chū shù jù | 00
    Examples that training never saw.
hidden state | 隐藏状态 | yǐn cáng zhuàng tài | 02
    The vector of width D that stands for one position between layers.
hidden unit | 隐藏单元 | yǐn cáng dān yuán | 05
    One of the d_ff inner numbers of a feed-forward layer.
hook | 钩子 | gōu zi | 05
    A function that PyTorch calls when a module runs, to record or change what passes.
identity matrix | 单位矩阵 | dān wèi jǔ zhèn | 01
    Ones on the diagonal, zeros elsewhere: multiplying by it changes nothing.
in-context learning | 上下文学习 | shàng xià wén xué xí | 14
    Picking up a pattern from the text being read, with no weight changed.
induction head | 归纳头 | guī nà tóu | 17
    A head that finds an earlier copy of the present token and attends to what came after it.
inference | 推理 | tuī lǐ | 11
    Using a trained model; its weights no longer change.
initialisation | 初始化 | chū shǐ huà | 06
    The random weights with which training starts.
invariance | 不变性 | bù biàn xìng | 07
    The input changes and the output does not.
Jacobian | 雅可比矩阵 | yǎ kě bǐ jǔ zhèn | 01
    The matrix of all derivatives of a vector with respect to a vector: row i for output i, column j for input j.
key | 键 | jiàn | 02
    What a position offers to be found by; a query is compared with it.
key-value memory | 键值记忆 | jiàn zhí jì yì | 05
    A feed-forward layer, read as learnt keys that detect and learnt values that are written.
KV cache | KV 缓存 | KV huǎn cún | 03
    The keys and values of tokens already read, kept while writing so that none is computed twice.
label smoothing | 标签平滑 | biāo qiān píng huá | 13
    A target that gives the right answer a little less than 1 and all others the rest.
language model | 语言模型 | yǔ yán mó xíng | 03
    Gives a probability to each token that may come next.
layer | 层 | céng | 00
    A step of the model with weights of its own; of a stack: one block.
layer normalisation | 层归一化 | céng guī yī huà | 07
    Brings each position's vector to mean 0 and variance 1 over its D features, then applies a learnt scale and shift.
leak | 信息泄漏 | xìn xī xiè lòu | 03
    The model can somehow read what it is asked to predict.
learned positions | 可学习位置编码 | kě xué xí wèi zhì biān mǎ | 08
    A table with one trained vector for each position up to max_len.
learning rate | 学习率 | xué xí lǜ | 01
    The factor that turns a gradient into a step of the weights.
learning-rate schedule | 学习率调度 | xué xí lǜ diào dù | 13
    How the learning rate changes during training.
length extrapolation | 长度外推 | cháng dù wài tuī | 08
    Working on sequences longer than any in training.
length penalty | 长度惩罚 | cháng dù chéng fá | 12
    Dividing a text's score by a power of its length, so that a search does not favour short texts.
linear | 线性 | xiàn xìng | 01
    What keeps sums and multiples: f(a + b) = f(a) + f(b). Between vectors: a product with a matrix.
linear attention | 线性注意力 | xiàn xìng zhù yì lì | 02
    Another model: attention without the softmax, whose cost grows linearly with the length.
linear layer | 线性层 | xiàn xìng céng | 01
    A matrix product, mostly with a bias added.
linear probe | 线性探针 | xiàn xìng tàn zhēn | 10
    A linear model that tries to read something off a vector; without controls its success says little.
logit lens | logits 透镜 | logits tòu jìng | 06
    Giving the residual stream after some block to the output layer, as if the model ended there.
logits | logits | logits | 01
    Scores before a softmax, one for each possible answer.
LoRA | 低秩适配 | dī zhì shì pèi | 16
    Fine-tuning by adding to a fixed matrix the product of two narrow trained ones.
loss | 损失 | sǔn shī | 01
    The number that training makes small.
mask | 掩码 | yǎn mǎ | 03
    True where a query may read a key, False where it may not.
masked language modelling | 掩码语言建模 | yǎn mǎ yǔ yán jiàn mó | 15
    Training to guess hidden tokens from those on both sides.
matrix | 矩阵 | jǔ zhèn | 01
    A tensor with two axes, rows and columns; as a linear machine, its rows say where the unit arrows land.
matrix product | 矩阵乘法 | jǔ zhèn chéng fǎ | 01
    Every row of the first matrix dotted with every column of the second.
mean | 均值 | jūn zhí | 01
    The sum of numbers divided by how many there are.
median | 中位数 | zhōng wèi shù | 02
    The number in the middle when all are sorted; a few huge ones do not move it.
memory | 记忆 | jì yì | 11
    What the encoder hands over: one vector for each source token, to which the decoder attends.
merge | 合并 | hé bìng | 10
    One step of byte-pair encoding: two neighbouring tokens become one; its rank says when it was learnt.
min-p sampling | min-p 采样 | min-p cǎi yàng | 12
    Drawing only among tokens at least p times as probable as the most probable one.
mixed precision | 混合精度 | hùn hé jīng dù | 18
    Large matrix products in 16 bits, and in 32 bits whatever would lose too much precision.
model error | 模型误差 | mó xíng wù chā | 12
    A wrong text that the model finds likelier than the right one: a better search does not help.
momentum | 动量 | dòng liàng | 13
    Stepping by a running mean of the last gradients, in which those that change sign cancel.
multi-head attention | 多头注意力 | duō tóu zhù yì lì | 04
    H attentions side by side; their outputs are joined and mixed by one matrix.
multiple comparisons | 多重比较 | duō chóng bǐ jiào | 05
    The best of many candidates looks good by chance alone; compare it with the best of as many controls.
multi-query attention | 多查询注意力 | duō chá xún zhù yì lì | 04
    Grouped-query attention with a single head of keys and values for all.
named entity recognition | 命名实体识别 | mìng míng shí tǐ shí bié | 15
    Marking the names in a text, and of what kind each is.
NaN | 非数 | fēi shù | 03
    "Not a number": the result of 0/0 or of infinity minus infinity; sums and products with it are NaN too.
nat | 奈特 | nài tè | 01
    Unit of information with the natural logarithm: ln 2 = 0.69 nats are one bit.
next-sentence prediction | 下一句预测 | xià yī jù yù cè | 15
    BERT's second training task, whether one text followed the other; later models dropped it.
n-gram | n 元语法 | n yuán yǔ fǎ | 10
    n neighbouring characters or tokens; an n-gram model guesses the last from the n - 1 before it.
one-hot vector | 独热向量 | dú rè xiàng liàng | 01
    All zeros but for a single 1.
optimiser | 优化器 | yōu huà qì | 01
    The rule that makes steps of the weights out of gradients.
outer product | 外积 | wài jī | 01
    The table of all products of a number of one vector with a number of another.
output projection | 输出投影 | shū chū tóu yǐng | 04
    The matrix W_O that mixes the joined outputs of the heads.
overfitting | 过拟合 | guò nǐ hé | 13
    Getting better on the training set while getting worse on data not seen.
padding | 填充 | tián chōng | 03
    Filler tokens that bring the sequences of a batch to one length.
padding mask | 填充掩码 | tián chōng yǎn mǎ | 03
    Hides the filler tokens from every query.
parameter | 参数 | cān shù | 01
    A number of the model that training changes; also called a weight.
permutation equivariance | 置换等变性 | zhì huàn děng biàn xìng | 08
    Shuffle the inputs, and the outputs are shuffled in the same way.
permutation matrix | 置换矩阵 | zhì huàn jǔ zhèn | 08
    A single 1 in each row and column; multiplying by it reorders the rows.
perplexity | 困惑度 | kùn huò dù | 14
    exp(mean loss per token in nats): among how many equally likely tokens the model seems to choose.
perturbation test | 扰动测试 | rǎo dòng cè shì | 03
    Change one input and see which outputs change: it shows what depends on what.
positional encoding | 位置编码 | wèi zhì biān mǎ | 08
    Any way to tell a model where a token stands.
position-wise | 逐位置 | zhú wèi zhì | 05
    The same function at each position, with no look at the others.
post-norm | 后置归一化 | hòu zhì guī yī huà | 06
    The norm after the addition: LN(x + F(x)).
precision | 精确率 | jīng què lǜ | 15
    Of what the model marked, the share that is right.
preference tuning | 偏好优化 | piān hào yōu huà | 16
    Training on which of two answers people prefer; DPO does it without a separate model of the reward.
prefix tuning | 前缀微调 | qián zhuì wēi tiáo | 16
    Fine-tuning by learnt keys and values in front of the text in each block; the model stays as it was.
pre-norm | 前置归一化 | qián zhì guī yī huà | 06
    The norm in front of the part, off the skip: x + F(LN(x)).
pre-training | 预训练 | yù xùn liàn | 15
    Training on plenty of general text, before any particular task.
probability distribution | 概率分布 | gài lǜ fēn bù | 01
    Numbers from 0 to 1, one for each possibility, that sum to 1.
projection | 投影 | tóu yǐng | 02
    A linear layer that makes one vector out of another, such as a query out of a hidden state.
prompt | 提示 | tí shì | 14
    The text a model is given to continue.
prompt tuning | 提示微调 | tí shì wēi tiáo | 16
    Fine-tuning by learnt vectors in front of the text, as if they were tokens; the model stays as it was.
quantisation | 量化 | liàng huà | 19
    Storing weights in few bits, such as 8-bit integers with a scale.
query | 查询 | chá xún | 02
    What a position looks for; it is compared with every key.
recall | 召回率 | zhào huí lǜ | 15
    Of what should have been marked, the share that was.
relative position | 相对位置 | xiāng duì wèi zhì | 08
    The distance between query and key, wherever both stand.
ReLU | 修正线性单元 | xiū zhèng xiàn xìng dān yuán | 05
    The activation max(0, x).
residual connection | 残差连接 | cán chā lián jiē | 06
    Adding a part's input to its output: x + F(x).
residual stream | 残差流 | cán chā liú | 06
    What runs along the skips, from the embedding to the output; in pre-norm each part reads it and adds to it.
RMSNorm | 均方根归一化 | jūn fāng gēn guī yī huà | 07
    Layer normalisation without subtracting the mean: divide by the root mean square, then a learnt scale.
rotary positions | 旋转位置编码 | xuán zhuǎn wèi zhì biān mǎ | 08
    Turning pairs of features of q and k by an angle that grows with the position; scores then see the distance.
sampling | 采样 | cǎi yàng | 12
    Drawing the next token at random with the model's probabilities.
saturation | 饱和 | bǎo hé | 02
    A softmax with nearly all weight on one key: its gradients are almost 0.
scaled dot-product attention | 缩放点积注意力 | suō fàng diǎn jī zhù yì lì | 02
    softmax(Q Kᵀ / √d_head) V.
score | 分数 | fēn shù | 01
    A number before the softmax; in attention: how well a key fits a query, their dot product divided by √d_head.
search error | 搜索误差 | sōu suǒ wù chā | 12
    A wrong text although the model finds the right one likelier: the search has missed it.
seed | 随机种子 | suí jī zhǒng zi | 02
    The number from which all random numbers follow, so that a run can be repeated.
self-attention | 自注意力 | zì zhù yì lì | 02
    Attention with queries, keys and values from the same sequence.
self-supervised learning | 自监督学习 | zì jiān dū xué xí | 15
    Training with targets that come from the text itself.
semantic search | 语义搜索 | yǔ yì sōu suǒ | 15
    Finding texts by what they mean: those whose vectors are nearest to the question's.
sentence vector | 句向量 | jù xiàng liàng | 15
    One vector for a whole text, mostly the mean of its tokens' vectors; a search compares such vectors.
sequence to sequence | 序列到序列 | xù liè dào xù liè | 11
    One network reads a whole text, another writes a text of any length from what the first hands over.
shape | 形状 | xíng zhuàng | 01
    The sizes of a tensor's axes, in order.
sigmoid | sigmoid 函数 | sigmoid hán shù | 05
    1 / (1 + exp(-x)): squeezes any number to between 0 and 1.
SiLU | SiLU | SiLU | 05
    The activation x times sigmoid(x); also called Swish.
singular value decomposition | 奇异值分解 | qí yì zhí fēn jiě | 16
    A matrix as the sum of the best pieces, each a column times a row, sorted by size: the singular values.
sinusoidal positions | 正弦位置编码 | zhèng xián wèi zhì biān mǎ | 08
    Fixed sines and cosines of the position at many frequencies, added to the token vectors.
skip connection | 跳跃连接 | tiào yuè lián jiē | 06
    The path around a part, along which its input passes unchanged.
smoothing | 平滑 | píng huá | 10
    Keeping some probability for what was never counted, by a shorter context or otherwise.
soft label | 软标签 | ruǎn biāo qiān | 16
    A probability for each class in place of one right class; what a teacher gives in distillation.
softmax | softmax | softmax | 01
    exp of each score divided by the sum of them all: positive, and the sum is 1. In full 归一化指数函数.
special token | 特殊词元 | tè shū cí yuán | 10
    A token that stands for no text: start, end, padding, mask.
stack | 堆叠 | duī dié | 09
    L blocks one after the other.
standard deviation | 标准差 | biāo zhǔn chā | 01
    The root of the variance.
stochastic gradient descent | 随机梯度下降 | suí jī tī dù xià jiàng | 01
    Gradient descent in which each step takes the gradient of a few examples only; SGD for short.
stop token | 停止词元 | tíng zhǐ cí yuán | 12
    A token that ends what is written, as [EOS] does.
sub-layer | 子层 | zǐ céng | 06
    One attention or one feed-forward layer of a block.
subword | 子词 | zǐ cí | 10
    A piece of a word that a tokeniser knows as one token.
SwiGLU | SwiGLU | SwiGLU | 05
    A gated feed-forward layer with SiLU as its activation, as in Llama.
target | 目标 | mù biāo | 01
    The right answer that training compares with; in translation, the text to be written.
teacher forcing | 教师强制 | jiào shī qiáng zhì | 03
    In training the decoder reads the right target so far, not what it would have written itself.
temperature | 温度 | wēn dù | 01
    A divisor of scores before the softmax: high makes the weights flat, low makes them sharp.
tensor | 张量 | zhāng liàng | 01
    Numbers in a box with any number of axes.
test set | 测试集 | cè shì jí | 13
    Data looked at once, at the end, to report a result.
TF-IDF | 词频-逆文档频率 | cí pín nì wén dàng pín lǜ | 15
    A text as its word counts, each weighted the more the fewer texts have the word.
token | 词元 | cí yuán | 00
    The unit a model reads and writes: a word, a piece of one, or a character.
tokeniser | 分词器 | fēn cí qì | 10
    Turns text into token ids and back.
top-k sampling | top-k 采样 | top-k cǎi yàng | 12
    Drawing only among the k most probable tokens.
top-p sampling | 核采样 | hé cǎi yàng | 12
    Drawing only among the fewest tokens that together have probability p or more; also nucleus sampling.
training set | 训练集 | xùn liàn jí | 13
    The data from which gradients are taken.
training step | 训练步 | xùn liàn bù | 01
    One batch: loss, gradients, and one change of the weights.
Transformer | Transformer | Transformer | 00
    A network of blocks of attention and feed-forward layers (Vaswani et al. 2017).
transpose | 转置 | zhuǎn zhì | 01
    The matrix with rows and columns swapped; of a tensor, two axes swapped.
validation set | 验证集 | yàn zhèng jí | 13
    Data for choices made during the work, such as when to stop.
value | 值 | zhí | 02
    What a position hands over to the queries that attend to it.
vanishing gradient | 梯度消失 | tī dù xiāo shī | 06
    Gradients that shrink from layer to layer on the way back, until the first layers learn nothing.
variance | 方差 | fāng chā | 01
    The mean squared distance from the mean.
vector | 向量 | xiàng liàng | 00
    A row of numbers; a tensor with one axis. Two numbers are an arrow in the plane.
vocabulary | 词表 | cí biǎo | 09
    All tokens a tokeniser knows; there are vocab_size of them.
warm-up | 预热 | yù rè | 07
    The first steps of training, during which the learning rate rises from near 0.
weight decay | 权重衰减 | quán zhòng shuāi jiǎn | 13
    Shrinking every weight a little at each step.
weight tying | 权重绑定 | quán zhòng bǎng dìng | 09
    One matrix for two purposes: the embedding's rows also give the logits.
word piece | 词片 | cí piàn | 15
    A token of BERT's vocabulary: a frequent word, or a part of a rare one, with ## where it goes on with a word.
XOR | 异或 | yì huò | 05
    True when exactly one of two inputs is; no linear function computes it.
"""


def _terms():
    lines = _TEXT.strip().split("\n")
    for head, meaning in zip(lines[::2], lines[1::2], strict=True):
        english, chinese, pinyin, lesson = head.split(" | ")
        yield Term(english, chinese, pinyin, meaning.strip(), int(lesson))


TERMS = list(_terms())


def by_english(term: Term) -> str:
    """Sorts by letters and digits alone, ignoring case."""
    return "".join(c for c in term.english.casefold() if c.isalnum())


def by_pinyin(term: Term) -> tuple[list[str], str]:
    """Sorts by the letters, syllable by syllable; tones decide only between equal spellings."""
    spelled = "".join(c for c in unicodedata.normalize("NFD", term.pinyin) if not unicodedata.combining(c))
    return spelled.casefold().split(), term.pinyin


ORDERS: dict[str, Callable[[Term], Any]] = {"english": by_english, "pinyin": by_pinyin}


class Table:
    """Terms as a table that a notebook shows as Markdown; the language that orders them comes first."""

    def __init__(self, terms: list[Term], by: str):
        self.terms, self.by = terms, by

    def __repr__(self):
        return f"{len(self.terms)} terms by {self.by}"

    def _repr_markdown_(self):
        names = {"english": ("English", "中文", "pinyin"), "pinyin": ("pinyin", "中文", "English")}[self.by]
        rows: list[tuple[str, ...]] = [(*names, "meaning", "lesson"), ("---",) * 5]
        for term in self.terms:
            name = {"English": f"**{term.english}**", "中文": term.chinese, "pinyin": term.pinyin}
            rows.append((*(name[column] for column in names), term.meaning, lesson_link(term.lesson)))
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def lesson_link(lesson: int) -> str:
    """The lesson's number, as a link once its notebook exists."""
    return f"[{lesson:02}]({NOTEBOOKS[lesson]})" if lesson in NOTEBOOKS else f"{lesson:02}"


def table(by: str = "english") -> Table:
    """Every term, ordered by "english" or by "pinyin"; raises ValueError for another order."""
    if by not in ORDERS:
        raise ValueError(f"by must be one of {', '.join(ORDERS)}; got {by!r}.")
    return Table(sorted(TERMS, key=ORDERS[by]), by)
